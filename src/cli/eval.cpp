// sgpt eval: BEIR evaluation of a model, or of every checkpoint of a run (eval_checkpoints.cpp), and of how it compares
// sentences (eval_sts.cpp, eval_useb.cpp).
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
#include "cli/eval_pairs.h"
#include "cli/given_paths.h"
#include "cli/model_option.h"
#include "cli/ranks.h"
#include "model/model_folder.h"
#include "model/model_folder_writer.h"
#include "retrieval/beir_evaluation.h"
#include "retrieval/corpus_index.h"
#include "retrieval/results_file.h"
#include "sgpt/error.h"
#include "train/model_card.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

void check_paths(const EvalArguments& arguments, const std::vector<NamedDataSet>& data_sets, const fs::path& model) {
  GivenPaths paths;
  paths.reads_model("--model", model).reads("--checkpoints", arguments.checkpoints);
  add_beir_paths(paths, arguments, data_sets);
  if (arguments.cache) paths.writes_resumable("--cache", *arguments.cache);
  paths.makes_folder("--save_best", arguments.save_best).check();
}

/// What was given is wrong, told before a model is loaded.
void check(const EvalArguments& arguments, const std::vector<NamedDataSet>& data_sets) {
  if (!arguments.save_best.empty()) require_new_folder(arguments.save_best);
  check_beir(arguments, data_sets, data_sets.size() > 1 || !arguments.checkpoints.empty());
  if (arguments.cache && !arguments.cache->empty() && data_sets.size() > 1) {
    throw UserError(
        fmt::format("--cache {}: {} has {} corpora, which one file cannot hold: give --cache without a file",
                    arguments.cache->string(), arguments.data_path, data_sets.size()));
  }
}

void evaluate(const EncoderTeam& team, const EvalArguments& arguments, const std::vector<NamedDataSet>& data_sets) {
  tell_similarity(arguments.similarity, folder_similarity(team.encoder()));
  const auto evaluate_one = [&](const NamedDataSet& data_set, const BeirOptions& options) {
    return evaluate_data_set(team, data_set, options);
  };
  const auto results = evaluate_and_keep(evaluate_one, arguments, data_sets,
                                         {.split = arguments.split,
                                          .run_file = arguments.run_file,
                                          .keep_same_ids = arguments.keep_same_ids,
                                          .similarity = arguments.similarity,
                                          .cache = arguments.cache});
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
  const bool pairs = !arguments.sts.empty() || !arguments.useb.empty();
  if (!pairs && arguments.data_path.empty()) {
    throw UserError(
        "eval: --data_path names the data set to evaluate on, or --sts a file of sentence pairs, or --useb a folder; "
        "found none of them");
  }
  if (arguments.model.empty() && arguments.checkpoints.empty()) {
    throw UserError("eval: --model names the model to evaluate, or --checkpoints a training run; found neither");
  }
  if (!pairs && (arguments.encoder.plain_prompt.text || arguments.encoder.plain_prompt.name)) {
    throw UserError(std::string("eval: ") + kWhosePrompt);
  }
  if (!arguments.sts.empty()) return evaluate_sts_file(ranks, arguments);
  if (!arguments.useb.empty()) return evaluate_useb_folder(ranks, arguments);
  std::vector<NamedDataSet> data_sets;  // rank 0 alone needs them
  if (ranks.first()) {
    data_sets = find_data_sets(arguments.data_path, arguments.data_set);
    check(arguments, data_sets);
    check_paths(arguments, data_sets, arguments.model);
  }
  if (!arguments.checkpoints.empty()) return evaluate_checkpoints(ranks, arguments, data_sets);
  EncoderOptions options = arguments.encoder;
  const fs::path folder = model_folder(arguments.model, options.adapter, ranks);
  if (ranks.first()) check_paths(arguments, data_sets, folder);
  if (ranks.first() && arguments.update_card) check_model_card(read_model_folder(folder, options.adapter).path);
  const Encoder encoder = load_encoder(folder, options, ranks, [&](const Encoder& loaded) {
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

void add_pair_options(CLI::App& command, EvalArguments& arguments, const std::vector<CLI::Option*>& further_ones) {
  const char* group = "Comparing sentences, without special brackets unless --specb is given";
  CLI::Option* sts = command.add_option(
      names("--sts"), arguments.sts,
      "Correlate similarities with people's scores: STS benchmark's file, stsbenchmark.tsv or sts-test.csv. --output "
      "is "
      "then a CSV file in sentence-transformers' form, to which a row is added (or a folder for it, or a .json file)");
  sts->type_name("FILE")->group(group);
  CLI::Option* useb = command.add_option(
      names("--useb"), arguments.useb,
      "Evaluate on USEB's four data sets: the folder data-eval. --output is then a folder for the two result files of "
      "the useb package; --split may be valid; texts are cut at 2048 tokens unless --max_seq_length is given");
  useb->type_name("DIR")->group(group)->excludes(sts);
  command
      .add_flag(names("--notnormalize"), arguments.not_normalized,
                "With --useb: do not scale embeddings to length 1 (it changes scidocs' Euclidean numbers alone)")
      ->needs(useb)
      ->excludes(command.get_option("--normalize"))
      ->group(group);
  command.get_option("--data_path")->required(false);
  for (const char* of_retrieval :
       {"--data_path", "--dataset", "--run_file", "--keep_same_ids", "--cache", "--update_card", "--checkpoints"}) {
    sts->excludes(command.get_option(of_retrieval));
    useb->excludes(command.get_option(of_retrieval));
  }
  for (CLI::Option* of_retrieval : further_ones) {
    sts->excludes(of_retrieval);
    useb->excludes(of_retrieval);
  }
  add_prompt_options(command, arguments.encoder);
}

}  // namespace

void add_eval(CLI::App& app) {
  auto* command = app.add_subcommand("eval",
                                     "Evaluate a model on a data set in BEIR's format (NDCG@10 and others), on "
                                     "pairs of sentences (--sts) or on USEB (--useb); under mpirun all processes share "
                                     "the work");
  auto arguments = std::make_shared<EvalArguments>();
  CLI::Option* model = add_model_option(*command, "--model", arguments->model);
  add_beir_options(*command, *arguments);
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
  const std::vector<CLI::Option*> two_prompts = add_two_prompt_options(*command, arguments->encoder);
  std::vector<CLI::Option*> of_retrieval = two_prompts;
  of_retrieval.push_back(add_similarity_option(*command, arguments->similarity));
  add_pair_options(*command, *arguments, of_retrieval);
  command->callback([arguments] { with_ranks([&](Communicator& ranks) { run_eval(ranks, *arguments); }); });
}

}  // namespace sgpt::cli
