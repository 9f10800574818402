// sgpt train: a progress bar, signals, and the summary.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/broken_pipe.h"
#include "base/filesystem.h"
#include "base/hub_path.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/dev_evaluation.h"
#include "cli/given_paths.h"
#include "cli/model_option.h"
#include "cli/nli_evaluation.h"
#include "cli/nli_options.h"
#include "cli/ranks.h"
#include "cli/refused_options.h"
#include "cli/stop_signals.h"
#include "cli/train_options.h"
#include "cli/watch_options.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"
#include "train/train.h"
#include "train/watch/run_watch.h"

namespace sgpt::cli {
namespace {

/// The number of the signal that a rank has received (it may be one of them alone); 0: none.
int received(const std::optional<StopSignals>& signals, Communicator& ranks) {
  const std::vector<std::int64_t> all = ranks.all_gather(std::int64_t{signals ? signals->received() : 0});
  return static_cast<int>(*std::max_element(all.begin(), all.end()));
}

/// How all ranks end after a signal: the sentence, and the exit status that shells give to it.
Ended ended(int signal, const Communicator& ranks, std::string sentence) {
  return {128 + signal, ranks.first() ? std::move(sentence) : std::string()};
}

std::string stopped(const TrainResult& result, const TrainOptions& options) {
  const std::string saved = !options.checkpoints ? "nothing is saved (--no_checkpoints)"
                            : result.steps == 0  ? "there was nothing to save yet"
                                                 : "the same command with --resume goes on from there";
  return fmt::format("stopped by a signal after {} steps; {}", result.steps, saved);
}

void say_ranks(const Communicator& ranks, int threads) {
  if (ranks.alone() || !ranks.first()) return;
  log::info(fmt::format("{} processes, {} of them on this machine{}", ranks.size(), ranks.local_size(),
                        threads > 0 ? fmt::format(", {} threads each", threads) : ""));
}

/// As the reference names it, but for the date at its end: --resume finds the run by this name.
std::filesystem::path default_output(const TrainOptions& options) {
  std::string name = files::without_slash(model_shown(options.model)).string();
  std::replace(name.begin(), name.end(), '/', '-');
  return std::filesystem::path("output") / ((options.nli ? "training_nli_v2_" : "train_bi-encoder-mnrl-") + name);
}

void check_paths(const TrainOptions& options) {
  const auto beside = [&](const char* suffix) {
    return std::filesystem::path(files::without_slash(options.output).string() + suffix);
  };
  GivenPaths paths;
  paths.reads_model("--model_name", options.model).reads_model("--adapter", options.adapter);
  const std::filesystem::path& data = options.train_data.empty() ? options.msmarco.folder : options.train_data;
  if (options.nli) {
    paths.reads("--nli", options.nli->file).reads("--sts", options.nli->sts);
  } else if (!files::is_folder(data)) {
    paths.reads("--train_data", data);
  } else {
    for (const auto& file : files::entries(data)) {
      if (files::is_regular(file)) paths.reads("--train_data", file);
    }
  }
  paths.makes_folder("--model_save_path", options.output);
  if (options.checkpoints) paths.fills_folder("checkpoints in", beside(".checkpoints"));
  paths.fills_folder("--log_dir", options.run_folder).writes("--log_file", options.log_file).check();
}

void train_on(Communicator& ranks, TrainOptions options, const DevArguments& dev) {
  if (options.output.empty()) options.output = default_output(options);
  finish_watch_options(options);
  const BrokenPipeAsError as_error;  // "2>&1 | head" must not end a training
  if (options.threads == 0) options.threads = default_threads(ranks);
  say_ranks(ranks, options.threads);
  std::optional<Progress> progress;
  options.on_step = [&](const TrainStep& step) {
    if (!progress) progress.emplace("training", "steps", step.total_steps);
    progress->update(step.step + 1, fmt::format("loss {:.4f}, {:.0f} tokens/s", step.loss, step.tokens_per_second));
  };
  // Until the first step, and in an evaluation, a signal ends the program at once; but not while --wandb's client
  // starts, which may take minutes.
  std::optional<StopSignals> signals;
  options.stop = [&] {
    if (!signals) signals.emplace();
    return signals->received() != 0;
  };
  const auto end_if_stopped = [&](Communicator& stopping) {
    const int signal = received(signals, stopping);
    signals.reset();
    if (signal != 0)
      throw ended(signal, stopping, "stopped by a signal before the run began; the same command begins it");
  };
  options.model = model_folder(options.model, options.adapter, ranks);
  if (ranks.first()) check_paths(options);
  if (ranks.first() && options.nli) check_sts_parts(options);
  if (options.wandb) signals.emplace();
  RunWatch watch(options, ranks.first());
  end_if_stopped(ranks);
  if (dev.no_training) {
    const auto on_start = [&] { end_if_stopped(this_process_alone()); };
    if (ranks.first()) (options.nli ? run_sts_alone : run_dev_evaluation)(options, dev, watch, on_start);
    return;
  }
  const TrainResult result = train(options, ranks, watch);
  progress.reset();
  if (result.was_finished) {
    if (ranks.first() && options.nli) run_sts_test(options, dev, watch);  // where the earlier call was ended before it
    return;
  }
  if (!result.finished) throw ended(received(signals, ranks), ranks, stopped(result, options));
  signals.reset();
  if (!ranks.first()) return;
  const double rate = static_cast<double>(result.tokens) / std::max(result.seconds, 1e-9);
  log::info(fmt::format("{} steps, {} tokens in {:.0f} s ({:.0f} a second); last loss {:.4f}; saved in {}",
                        result.steps - result.resumed_at, result.tokens, result.seconds, rate, result.last_loss,
                        options.output.string()));
  log::info(fmt::format("the run is recorded in {}: sgpt report or tensorboard --logdir shows it",
                        options.run_folder.string()));
  if (options.nli) return run_sts_test(options, dev, watch);
  run_dev_evaluation(options, dev, watch, [] {});
}

}  // namespace

void add_train(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "train", "Train a bi-encoder on pairs of texts: queries, what answers them, and what does not");
  command->footer(
      "As SGPT was trained: sgpt train --model_name bloom-560m --train_data data.jsonl --model_save_path out --specb "
      "--pooling weightedmean --freezenonbias --gradcache --chunksize 8 --lr 4e-4");
  auto options = std::make_shared<TrainOptions>();
  auto dev = std::make_shared<DevArguments>();
  add_train_options(*command, *options, *dev);
  add_refused_options(*command);
  add_nli_options(*command, *options);
  command->callback([command, options, dev] {
    with_ranks([&](Communicator& ranks) {
      finish_nli_options(*command, *options);
      train_on(ranks, *options, *dev);
    });
  });
}

}  // namespace sgpt::cli
