#include "cli/dev_evaluation.h"

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "cli/command.h"
#include "cli/output.h"
#include "retrieval/dev_evaluation.h"
#include "sgpt/error.h"
#include "train/watch/run_history.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMost = std::int64_t{1} << 30;

/// What keeps the evaluation from being run; empty when nothing does.
std::string obstacle(const DevFolder& folder) {
  std::string names;
  for (const fs::path& file : missing_dev_files(folder)) {
    names += (names.empty() ? "" : ", ") + file.filename().string();
  }
  return names.empty() ? names : fmt::format("{} has no {}", folder.path.string(), names);
}

}  // namespace

void add_dev_options(CLI::App& command, DevArguments& arguments) {
  const char* group = "Evaluation after training, where MS MARCO's dev files lie with the data";
  command
      .add_option(names("--dev_corpus_max_size"), arguments.corpus_max_size,
                  "Search only the relevant passages of collection.tsv, and others up to about so many. -1: all")
      ->check(CLI::Range(std::int64_t{-1}, kMost))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option(names("--eval_batch_size"), arguments.batch_size,
                  "Texts of the longest length that are embedded together")
      ->check(CLI::Range(std::int64_t{1}, kMost))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_flag(names("--no_training"), arguments.no_training,
                "Evaluate the model of --model_name as it is; the result is recorded in MODEL_SAVE_PATH.run")
      ->group(group);
}

EncoderOptions evaluation_options(const TrainOptions& options, const DevArguments& arguments) {
  EncoderOptions result;
  result.brackets = options.brackets;
  result.adapter = options.adapter;
  result.pooling = {options.pooling};
  result.max_seq_length = options.max_seq_length;
  result.query_prompt.text = options.query_prompt;
  result.document_prompt.text = options.document_prompt;
  result.token_budget = arguments.batch_size * options.max_seq_length;
  result.threads = options.threads;
  result.backend = options.backend;
  return result;
}

Encoder load_trained(const TrainOptions& options, const DevArguments& arguments) {
  EncoderOptions own = evaluation_options(options, arguments);
  own.adapter.clear();
  if (!options.lora && options.adapter.empty()) return Encoder::load(options.output, own);
  own.adapter = options.output;
  return Encoder::load(options.model, own);
}

void run_dev_evaluation(const TrainOptions& options, const DevArguments& arguments, RunWatch& watch,
                        const std::function<void()>& on_start) {
  const DevFolder folder{options.train_data.empty() ? options.msmarco.folder : options.train_data};
  std::error_code none;
  const bool msmarco = fs::exists(folder.collection(), none);
  const std::string missing = obstacle(folder);
  if (!missing.empty()) {
    if (arguments.no_training) throw UserError(fmt::format("nothing to do with --no_training: {}", missing));
    if (msmarco) log::info(fmt::format("no dev evaluation: {}", missing));
    return;
  }
  if (arguments.no_training) watch.start({.options = options});
  on_start();
  const Encoder encoder = arguments.no_training ? Encoder::load(options.model, evaluation_options(options, arguments))
                                                : load_trained(options, arguments);
  const DevMetrics metrics = evaluate_dev(encoder, folder, arguments.corpus_max_size);
  std::string line;
  std::vector<NamedNumber> numbers;
  for (const auto& [name, value] : metrics.named()) {
    line += fmt::format("  {} {:.4f}", name, value);
    numbers.push_back({name, value});
  }
  log::info(fmt::format("dev: {} queries, {} passages:{}", metrics.queries, metrics.passages, line));
  watch.evaluation(numbers);
  print_result(evaluation_json(numbers));
}

}  // namespace sgpt::cli
