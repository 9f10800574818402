#include "cli/msmarco_options.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"

namespace sgpt::cli {
namespace {

constexpr std::int64_t kMostNegatives = std::int64_t{1} << 30;

std::vector<std::string> systems_of(const std::string& list) {
  std::vector<std::string> result;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    std::string name = list.substr(begin, end - begin);
    if (name.empty() || std::find(result.begin(), result.end(), name) != result.end()) {
      throw UserError(fmt::format("--negs_to_use {}: expected names of systems with a comma between, each once", list));
    }
    result.push_back(std::move(name));
    begin = end + 1;
  }
  return result;
}

std::string not_finite(const std::string& text) {
  double value = 0;
  return CLI::detail::lexical_cast(text, value) && std::isfinite(value) ? "" : text + " is no number";
}

}  // namespace

void add_msmarco_options(CLI::App& command, MsMarcoOptions& options) {
  CLI::Option* train_data = command.get_option("--train_data");
  const auto add = [&](CLI::Option* option) {
    option->excludes(train_data)->group("MS MARCO (without --train_data)");
    return option;
  };
  add(command.add_option(names("--data_path"), options.folder,
                         "Folder with collection.tsv, queries.train.tsv, msmarco-hard-negatives.jsonl.gz and "
                         "cross-encoder-ms-marco-MiniLM-L-6-v2-scores.pkl.gz"))
      ->type_name("DIR")
      ->capture_default_str();
  add(command.add_option_function<std::string>(
          names("--negs_to_use"), [&options](const std::string& list) { options.systems = systems_of(list); },
          "Systems whose negatives are used, in this order (bm25,msmarco-distilbert-base-tas-b). By default all"))
      ->type_name("NAME,…");
  add(command.add_option(names("--num_negs_per_system"), options.negatives_per_system,
                         "Negatives of a query that each system brings at most"))
      ->check(CLI::Range(std::int64_t{1}, kMostNegatives))
      ->type_name("N")
      ->capture_default_str();
  add(command.add_option(names("--ce_score_margin"), options.score_margin,
                         "A negative's cross-encoder score lies at least so far below that of every positive"))
      ->check(CLI::Validator(not_finite, ""))
      ->type_name("X")
      ->capture_default_str();
  add(command.add_flag(names("--use_all_queries"), options.all_queries,
                       "Use also the queries that no negative is left for: a random passage stands in"));
}

}  // namespace sgpt::cli
