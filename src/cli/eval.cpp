// sgpt eval: BEIR evaluation of a model, or of every checkpoint of a run (eval_checkpoints.cpp).
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/eval_checkpoints.h"
#include "cli/model_option.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "model/model_folder_writer.h"
#include "retrieval/beir_evaluation.h"
#include "retrieval/corpus_index.h"
#include "retrieval/results_file.h"
#include "sgpt/error.h"
#include "train/model_card.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

/// What was given is wrong, told before a model is loaded.
void check(const EvalArguments& arguments, const std::vector<NamedDataSet>& data_sets) {
  if (!arguments.save_best.empty()) require_new_folder(arguments.save_best);
  for (const NamedDataSet& data_set : data_sets) check_data_set(data_set, arguments.split);
  if (!arguments.output.empty()) check_results_file(arguments.output);
  if (arguments.cache && !arguments.cache->empty() && data_sets.size() > 1) {
    throw UserError(
        fmt::format("--cache {}: {} has {} corpora, which one file cannot hold: give --cache without a file",
                    arguments.cache->string(), arguments.data_path, data_sets.size()));
  }
}

void evaluate(const EncoderTeam& team, const EvalArguments& arguments, const std::vector<NamedDataSet>& data_sets) {
  const auto results = evaluate_data_sets(
      team, data_sets, {.split = arguments.split, .run_file = arguments.run_file, .cache = arguments.cache});
  for (const DataSetResult& result : results) {
    log::info(fmt::format("{} on {}\n{}", result.model, result.data_set, metrics_table(result.values, result.cutoffs)));
  }
  if (arguments.update_card) {
    const fs::path& folder = team.encoder().folder();
    update_model_card(folder, results);
    log::info(fmt::format("NDCG@10 is in {}", (folder / "README.md").string()));
  }
  give_results(arguments, results);
}

/// Of the first cache that belongs to the model.
std::optional<ComputeType> recorded_compute_type(const Encoder& encoder, const EvalArguments& arguments,
                                                 const std::vector<NamedDataSet>& data_sets) {
  if (!arguments.cache) return std::nullopt;
  for (const NamedDataSet& data_set : data_sets) {
    const auto type = CorpusIndex::recorded_compute_type(encoder, data_set.folder.corpus(), *arguments.cache);
    if (type) return type;
  }
  return std::nullopt;
}

void run_eval(Communicator& ranks, const EvalArguments& arguments) {
  if (arguments.model.empty() && arguments.checkpoints.empty()) {
    throw UserError("eval: --model names the model to evaluate, or --checkpoints a training run; found neither");
  }
  std::vector<NamedDataSet> data_sets;  // rank 0 alone needs them
  if (ranks.first()) {
    data_sets = find_data_sets(arguments.data_path, arguments.data_set);
    check(arguments, data_sets);
  }
  if (!arguments.checkpoints.empty()) return evaluate_checkpoints(ranks, arguments, data_sets);
  const fs::path folder = model_folder(arguments.model, ranks);
  if (ranks.first() && arguments.update_card) check_model_card(folder);
  const Encoder encoder = load_encoder(folder, arguments.encoder, ranks, [&](const Encoder& loaded) {
    return recorded_compute_type(loaded, arguments, data_sets);
  });
  with_team(encoder, ranks, [&](const EncoderTeam& team) { evaluate(team, arguments, data_sets); });
}

void add_checkpoint_options(CLI::App& command, EvalArguments& arguments, CLI::Option* model) {
  const char* group = "Choosing a checkpoint";
  CLI::Option* checkpoints = command.add_option(
      names("--checkpoints"), arguments.checkpoints,
      "Evaluate every checkpoint of a training run, and name the one with the best NDCG@10: the folder "
      "MODEL_SAVE_PATH.checkpoints. --model is then needed only where the model that the run began with has moved");
  checkpoints->type_name("DIR")->group(group);
  command
      .add_option(names("--save_best"), arguments.save_best,
                  "Write the best one as a model folder, which must be new or empty")
      ->needs(checkpoints)
      ->type_name("DIR")
      ->group(group);
  for (const char* of_one_model : {"--cache", "--update_card"}) {
    checkpoints->excludes(command.get_option(of_one_model));
  }
  model->required(false);
}

}  // namespace

void give_results(const EvalArguments& arguments, const std::vector<DataSetResult>& results) {
  if (arguments.output.empty()) {
    print_result(results_json(results) + "\n");
  } else {
    merge_into_results_file(arguments.output, results);
    log::info(fmt::format("results are in {}", arguments.output));
  }
}

void add_eval(CLI::App& app) {
  auto* command = app.add_subcommand("eval",
                                     "Evaluate a model on a data set in BEIR's format (NDCG@10 and others); under "
                                     "mpirun all processes share the work");
  auto arguments = std::make_shared<EvalArguments>();
  CLI::Option* model = add_model_option(*command, "--model", arguments->model);
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
  command
      ->add_option_function<std::string>(
          names("--cache"), [arguments](const std::string& file) { arguments->cache = file; },
          "Keep the documents' embeddings, so that a stopped evaluation goes on and sgpt search starts at once; in "
          "FILE, "
          "or by default where sgpt search keeps them: CORPUS.MODEL.sgpt-cache beside the corpus")
      ->expected(0, 1)
      ->type_name("FILE");
  command->add_flag(names("--update_card"), arguments->update_card,
                    "Write NDCG@10 into the evaluation of the model's card, README.md in its folder");
  add_checkpoint_options(*command, *arguments, model);
  add_encoder_options(*command, arguments->encoder);
  command->callback([arguments] { with_ranks([&](Communicator& ranks) { run_eval(ranks, *arguments); }); });
}

}  // namespace sgpt::cli
