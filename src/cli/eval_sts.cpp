#include <cmath>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/log.h"
#include "base/output_target.h"
#include "cli/eval_pairs.h"
#include "cli/given_paths.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "encode/encoder_parts.h"
#include "retrieval/published_scores.h"
#include "retrieval/sts_evaluation.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

/// Where --output leads: a folder gets the CSV file that sentence-transformers would write there.
fs::path output_file(const EvalArguments& arguments) {
  if (arguments.output.empty()) return "-";
  if (!files::is_folder(arguments.output)) return arguments.output;
  return fs::path(arguments.output) /
         fmt::format("similarity_evaluation_sts-{}_results.csv", arguments.split.empty() ? "test" : arguments.split);
}

bool is_json(const fs::path& file) { return file == "-" || file.extension() == ".json"; }

/// {"pairs": …, "cosine_pearson": …, …}
std::string sts_json(const StsResult& result, std::size_t pairs) {
  nlohmann::ordered_json json{{"pairs", pairs}};
  for (const auto& [name, value] : result.named()) json[std::string(name)] = value;  // NaN becomes null
  return json.dump(2) + "\n";
}

std::string table(const StsResult& result) {
  std::string text = fmt::format("{:10}{:>9}{:>10}", "", "Pearson", "Spearman");
  const auto values = result.named();
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const std::string_view name = values[i].first.substr(0, values[i].first.find('_'));
    text += fmt::format("\n{:10}{:9.5f}{:10.5f}", name, values[i].second, values[i + 1].second);
  }
  return text;
}

void tell(const Encoder& encoder, const EvalArguments& arguments, const StsResult& result, std::size_t pairs) {
  const std::string& model = encoder.parts().folder.name;
  log::info(fmt::format("{} on {} ({} pairs)\n{}", model, arguments.sts.string(), pairs, table(result)));
  if (std::isnan(result.cosine.spearman)) {
    log::warning("the model finds all pairs equally similar, which correlates with nothing");
  }
  if (!arguments.split.empty() && arguments.split != "test") return;
  for (const PublishedSts& published : published_sts(model)) {
    log::info(
        fmt::format("{} was published with, on STS benchmark's test part: cosine Pearson {:.5f}, Spearman {:.5f}{}",
                    published.model, published.cosine_pearson, published.cosine_spearman,
                    published.remark.empty() ? "" : fmt::format(" ({})", published.remark)));
  }
}

void give(const fs::path& output, const StsResult& result, std::size_t pairs) {
  if (output == "-") return print_result(sts_json(result, pairs));
  if (is_json(output)) {
    write_file(output, sts_json(result, pairs));
  } else {
    append_sts_row(output, {.result = result});
  }
  if (!files::is_stream(output)) log::info(fmt::format("results are in {}", output.string()));
}

}  // namespace

void evaluate_sts_file(Communicator& ranks, const EvalArguments& arguments) {
  StsPairs pairs;
  fs::path output;
  if (ranks.first()) {
    output = output_file(arguments);
    GivenPaths().reads("--sts", arguments.sts).writes("--output", output).check();
    pairs =
        read_sts(arguments.sts, arguments.split.empty() ? std::nullopt : std::optional<std::string>(arguments.split));
    if (is_json(output)) {
      require_writable(output);
    } else {
      check_sts_csv(output);
    }
  }
  EncoderOptions options = arguments.encoder;
  if (!options.brackets) options.brackets = false;
  const std::filesystem::path folder = model_folder(arguments.model, options.adapter, ranks);
  const Encoder encoder = load_encoder(folder, options, ranks);
  with_team(encoder, ranks, [&](const EncoderTeam& team) {
    const StsResult result = evaluate_sts(team, pairs);
    tell(encoder, arguments, result, pairs.scores.size());
    give(output, result, pairs.scores.size());
  });
}

}  // namespace sgpt::cli
