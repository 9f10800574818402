// sgpt bm25: ranks by words, without a model: the baseline of retrieval, and the first stage of re-ranking.
#include <map>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/beir_arguments.h"
#include "cli/command.h"
#include "retrieval/bm25_evaluation.h"

namespace sgpt::cli {
namespace {

struct Bm25Arguments : BeirArguments {
  Bm25Options bm25;
};

void run_bm25(const Bm25Arguments& arguments) {
  const auto data_sets = find_data_sets(arguments.data_path, arguments.data_set);
  check_beir(arguments, data_sets, data_sets.size() > 1);
  GivenPaths paths;
  add_beir_paths(paths, arguments, data_sets);
  paths.check();
  const auto evaluate_one = [&](const NamedDataSet& data_set, const BeirOptions& options) {
    return evaluate_bm25(arguments.bm25, data_set, options);
  };
  give_results(arguments, evaluate_and_keep(evaluate_one, arguments, data_sets,
                                            {.split = arguments.split,
                                             .run_file = arguments.run_file,
                                             .keep_same_ids = arguments.keep_same_ids,
                                             .model_name = "bm25"}));
}

}  // namespace

void add_bm25(CLI::App& app) {
  auto* command = app.add_subcommand(
      "bm25", "Rank the documents of a data set in BEIR's format by BM25, which needs no model, and evaluate it");
  auto arguments = std::make_shared<Bm25Arguments>();
  add_beir_options(*command, *arguments);
  const char* group = "Formula and words";
  command->add_option(names("--k1"), arguments->bm25.k1, "How soon a word's repetition stops to count; Lucene has 1.2")
      ->check(CLI::Range(0.0, 1000.0))
      ->type_name("X")
      ->capture_default_str()
      ->group(group);
  command->add_option(names("--b"), arguments->bm25.b, "How much long documents pay for their length")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X")
      ->capture_default_str()
      ->group(group);
  command
      ->add_option_function<std::string>(
          names("--stemming"),
          [arguments](const std::string& name) {
            arguments->bm25.terms.stemming = name == "none" ? Stemming::none : Stemming::porter;
          },
          "porter: Porter's stemmer for English; none: words count as they stand, in lower case. By default porter")
      ->check(CLI::IsMember({"porter", "none"}))
      ->type_name("NAME")
      ->group(group);
  command
      ->add_option_function<std::string>(
          names("--stop_words"),
          [arguments](const std::string& name) {
            arguments->bm25.terms.stop_words = name == "none" ? StopWords::none : StopWords::english;
          },
          "english: Lucene's 33 (a, an, and, …) do not count; none: every word counts. By default english")
      ->check(CLI::IsMember({"english", "none"}))
      ->type_name("NAME")
      ->group(group);
  command->callback([arguments] { run_bm25(*arguments); });
}

}  // namespace sgpt::cli
