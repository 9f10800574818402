// sgpt eval: BEIR evaluation of a model.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/model_option.h"
#include "cli/output.h"
#include "retrieval/beir_evaluation.h"
#include "retrieval/results_file.h"
#include "train/model_card.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

struct EvalArguments {
  std::filesystem::path model;
  std::string data_path;
  std::string data_set;
  std::string split;
  std::string output;
  std::string run_file;
  bool update_card = false;
  EncoderOptions encoder;
};

/// run.trec → run_cqadupstack_android.trec where several data sets are run, one file each.
fs::path run_file_of(const std::string& run_file, const std::string& data_set, bool several) {
  const fs::path path = run_file;
  if (run_file.empty() || !several) return path;
  return path.parent_path() / fmt::format("{}_{}{}", path.stem().string(), data_set, path.extension().string());
}

void run_eval(const EvalArguments& arguments) {
  const auto data_sets = find_data_sets(arguments.data_path, arguments.data_set);
  for (const NamedDataSet& data_set : data_sets) check_data_set(data_set, arguments.split);
  if (!arguments.output.empty()) check_results_file(arguments.output);
  const fs::path folder = model_folder(arguments.model);
  if (arguments.update_card) check_model_card(folder);
  const Encoder encoder = Encoder::load(folder, arguments.encoder);
  const bool several = data_sets.size() > 1;
  std::vector<DataSetResult> results;
  for (const NamedDataSet& data_set : data_sets) {
    results.push_back(evaluate_data_set(
        encoder, data_set,
        {.split = arguments.split, .run_file = run_file_of(arguments.run_file, data_set.name, several)}));
  }
  if (several) {
    const std::string& first = results.front().data_set;
    results.push_back(mean_of(results, first.substr(0, first.rfind('_'))));
  }
  for (const DataSetResult& result : results) {
    log::info(fmt::format("{} on {}\n{}", result.model, result.data_set, metrics_table(result.values, result.cutoffs)));
  }
  if (arguments.update_card) {
    update_model_card(folder, results);
    log::info(fmt::format("NDCG@10 is in {}", (folder / "README.md").string()));
  }
  if (arguments.output.empty()) {
    print_result(results_json(results) + "\n");
  } else {
    merge_into_results_file(arguments.output, results);
    log::info(fmt::format("results are in {}", arguments.output));
  }
}

}  // namespace

void add_eval(CLI::App& app) {
  auto* command = app.add_subcommand("eval", "Evaluate a model on a data set in BEIR's format (NDCG@10 and others)");
  auto arguments = std::make_shared<EvalArguments>();
  add_model_option(*command, "--model", arguments->model);
  command
      ->add_option(names("--data_path"), arguments->data_path,
                   "Folder with corpus.jsonl, queries.jsonl and qrels/; or a folder of such folders, see --dataset; or "
                   "cqadupstack's folder with its twelve forums, whose mean is reported too")
      ->required()
      ->type_name("DIR");
  command
      ->add_option(names("--dataset"), arguments->data_set,
                   "Name in the results (by default the folder's), and the sub-folder of --data_path to use where that "
                   "folder itself is no data set")
      ->type_name("NAME");
  command
      ->add_option(names("--split"), arguments->split,
                   "Which qrels/SPLIT.tsv to take. By default test, for msmarco dev")
      ->type_name("NAME");
  command
      ->add_option(names("--output"), arguments->output,
                   "Results file (JSON) to write or to merge into. By default results are printed")
      ->type_name("FILE");
  command
      ->add_option(
          names("--run_file"), arguments->run_file,
          "Write the 1000 best hits of each query here, as trec_eval reads them (for cqadupstack a file a forum)")
      ->type_name("FILE");
  command->add_flag(names("--update_card"), arguments->update_card,
                    "Write NDCG@10 into the evaluation of the model's card, README.md in its folder");
  add_encoder_options(*command, arguments->encoder);
  command->callback([arguments] { run_eval(*arguments); });
}

}  // namespace sgpt::cli
