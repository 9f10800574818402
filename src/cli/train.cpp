// sgpt train: the options of train_bi-encoder_mnrl.py, a progress bar, and the summary.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "backend/backend.h"
#include "base/broken_pipe.h"
#include "base/filesystem.h"
#include "base/hub_path.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/dev_evaluation.h"
#include "cli/given_paths.h"
#include "cli/model_option.h"
#include "cli/msmarco_options.h"
#include "cli/nli_evaluation.h"
#include "cli/nli_options.h"
#include "cli/ranks.h"
#include "cli/refused_options.h"
#include "cli/stop_signals.h"
#include "cli/watch_options.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"
#include "train/schedule.h"
#include "train/train.h"
#include "train/watch/run_watch.h"

namespace sgpt::cli {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 30;

std::vector<std::string> strings(const std::vector<std::string_view>& views) { return {views.begin(), views.end()}; }

/// What is wrong with a number, if anything. (CLI11's own check spells out the largest double.)
std::string not_negative(const std::string& text) {
  double value = 0;
  const bool good = CLI::detail::lexical_cast(text, value) && std::isfinite(value) && value >= 0;
  return good ? "" : fmt::format("{} is no number of 0 or more", text);
}

void add_files(CLI::App& command, TrainOptions& options) {
  const char* group = "What is trained on what";
  add_model_option(command, "--model_name", options.model, "The model to start from, trained before or a plain BLOOM")
      ->group(group);
  command
      .add_option(
          names("--train_data"), options.train_data,
          "JSON lines {\"query\", \"positive\", \"negative\"} (positive and negative may be lists; the negative may "
          "be left out of all lines), or a BEIR folder with qrels/train.tsv. By default the MS MARCO files in "
          "--data_path")
      ->type_name("FILE|DIR")
      ->group(group);
  command
      .add_option(
          names("--model_save_path"), options.output,
          "Folder to write the trained model to; it must be new or empty. By default "
          "output/train_bi-encoder-mnrl-MODEL (with --nli output/training_nli_v2_MODEL), with a - for each / in the "
          "model's name")
      ->type_name("DIR")
      ->group(group);
  command
      .add_option(names("--train_dataset_max_size"), options.train_dataset_max_size,
                  "Use only the first N examples. By default all")
      ->check(CLI::Range(std::int64_t{1}, kMost))
      ->type_name("N")
      ->group(group);
  command
      .add_option(
          names("--negatives_per_query"), options.negatives_per_query,
          "Negatives that each query brings into a batch; longer lists are gone through visit by visit. By default as "
          "many as the line with the fewest has")
      ->check(CLI::Range(std::int64_t{1}, kMost))
      ->type_name("N")
      ->group(group);
  command
      .add_option(names("--log_file"), options.log_file,
                  "Write a JSON line for each step: step, loss, gradient_norm, lr, …; - is stdout")
      ->type_name("FILE")
      ->group(group);
}

void add_texts(CLI::App& command, TrainOptions& options) {
  const char* group = "How texts become embeddings";
  command
      .add_option_function<std::string>(
          names("--pooling"), [&options](const std::string& name) { options.pooling = *pooling_mode_from(name); },
          "How hidden states become one vector; SGPT wants weightedmean")
      ->check(CLI::IsMember({"cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken"}))
      ->type_name("MODE")
      ->default_str("mean")
      ->group(group);
  command.add_flag(names("--specb"), options.brackets, "Put special brackets around texts: [query] and {document}")
      ->group(group);
  const auto prompt = [&](const char* name, std::optional<std::string>& value, const char* help) {
    command.add_option(names(name), value, help)->type_name("TEXT")->group(group);
  };
  prompt(
      "--query_prompt", options.query_prompt,
      "What is put before every query, as it is, and saved as the model's prompt for queries. By default the model's "
      "own, if any; an empty one is none");
  prompt("--document_prompt", options.document_prompt, "The same for documents: positives and negatives");
  command
      .add_option(names("--max_seq_length"), options.max_seq_length,
                  "Tokens of a text that are looked at, brackets included; with --nli 75, if it is not said")
      ->check(CLI::Range(std::int64_t{1}, kMost))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

void add_steps(CLI::App& command, TrainOptions& options) {
  const char* group = "Steps";
  const auto count = [&](const char* name, std::int64_t& value, std::int64_t least, const char* help) {
    command.add_option(names(name), value, help)
        ->check(CLI::Range(least, kMost))
        ->type_name("N")
        ->capture_default_str()
        ->group(group);
  };
  const auto number = [&](const char* name, double& value, const char* help) {
    command.add_option(names(name), value, help)
        ->check(CLI::Validator(not_negative, ""))
        ->type_name("X")
        ->capture_default_str()
        ->group(group);
  };
  count("--train_batch_size", options.batch_size, 1,
        "Queries in a step: the others' documents are a query's negatives");
  count("--gradient_accumulation", options.gradient_accumulation, 1,
        "Batches of a step, whose gradients are averaged: an epoch has so many times fewer steps");
  count("--epochs", options.epochs, 1, "How often the data is gone through; with --nli 1, if it is not said");
  count("--steps_per_epoch", options.steps_per_epoch, 0, "Steps that count as an epoch. 0: all batches of the data");
  command
      .add_option(names("--warmup_steps"), options.warmup_steps,
                  "Steps in which the learning rate rises from 0. By default 1000, or a tenth of all steps where that "
                  "is less; with --nli a tenth")
      ->check(CLI::Range(std::int64_t{0}, kMost))
      ->type_name("N")
      ->group(group);
  number("--lr", options.learning_rate, "Highest learning rate (AdamW)");
  command.add_option(names("--scheduler"), options.scheduler, "How the learning rate goes on after the warm-up")
      ->check(CLI::IsMember(strings(schedule_names()), CLI::ignore_case))
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  number("--weight_decay", options.weight_decay, "Decay of all parameters but biases");
  number("--max_grad_norm", options.max_gradient_norm, "Gradients with a larger norm are scaled down to it");
  number("--scale", options.scale, "What cosines are multiplied with in the loss");
  command
      .add_option_function<std::int64_t>(
          names("--seed"), [&options](const std::int64_t& seed) { options.seed = static_cast<std::uint64_t>(seed); },
          "Seed of the order of the examples")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()))
      ->type_name("N")
      ->default_str("0")
      ->group(group);
  command
      .add_flag_callback(
          names("--no_shuffle"), [&options] { options.shuffle = false; }, "Keep the examples in the order of the data")
      ->group(group);
  command
      .add_flag(names("--no_duplicates"), options.no_duplicates,
                "No text twice in a batch, where it would be a wrong negative: an example that shares a text with one "
                "of its batch waits for the next")
      ->group(group);
}

void add_parameters(CLI::App& command, TrainOptions& options) {
  const char* group = "What is trained";
  command.add_flag(names("--freezenonbias"), options.freeze_non_bias, "Train the biases alone (BitFit), as SGPT does")
      ->group(group);
  command.add_flag(names("--freeze"), options.freeze, "Train nothing but what --freezenonbias or --unfreezewte say")
      ->group(group);
  command
      .add_flag(names("--unfreezewte"), options.train_word_embeddings,
                "Train the word embedding, also when the rest is frozen")
      ->group(group);
}

void add_checkpoints(CLI::App& command, TrainOptions& options) {
  const char* group = "Checkpoints";
  command
      .add_flag(names("--resume"), options.resume,
                "Go on from the newest checkpoint of the same command, to the same result; begins at the beginning "
                "where there is none")
      ->group(group);
  const auto count = [&](const char* name, std::int64_t& value, const char* help) {
    return command.add_option(names(name), value, help)
        ->check(CLI::Range(std::int64_t{0}, kMost))
        ->type_name("N")
        ->capture_default_str()
        ->group(group);
  };
  CLI::Option* steps = count("--checkpoint_save_steps", options.checkpoint_save_steps,
                             "Save a checkpoint in MODEL_SAVE_PATH.checkpoints every N steps, and after each epoch. 0: "
                             "after each epoch only");
  CLI::Option* limit = count("--checkpoint_save_total_limit", options.checkpoint_save_total_limit,
                             "Keep the newest N checkpoints only. 0: all");
  command
      .add_flag_callback(
          names("--no_checkpoints"), [&options] { options.checkpoints = false; }, "Save none")
      ->excludes(steps)
      ->excludes(limit)
      ->group(group);
}

void add_machine(CLI::App& command, TrainOptions& options) {
  const char* group = "Memory and speed";
  CLI::Option* grad_cache = command.add_flag(
      names("--gradcache"), options.grad_cache,
      "Compute a batch in chunks (GradCache), so that a large one fits into memory; the result is the same");
  grad_cache->group(group);
  command
      .add_option_function<std::string>(
          names("--chunksize"),
          [&options](const std::string& size) { options.chunk_size = size == "auto" ? 0 : std::stoll(size); },
          "With --gradcache: queries in a chunk, with their documents; auto chooses for speed in the memory there is")
      ->needs(grad_cache)
      ->check(CLI::IsMember({"auto"}) | CLI::Range(std::int64_t{1}, kMost))
      ->type_name("N|auto")
      ->default_str("1")
      ->group(group);
  command
      .add_option_function<std::uint64_t>(
          names("--activation_memory"), [&options](const std::uint64_t& bytes) { options.activation_memory = bytes; },
          "With --gradcache: memory for what is kept of a first pass, so that less is computed again; bytes, or 500MB, "
          "4GB. By default half of what is free; 0 takes the least memory that a chunk can be trained in")
      ->needs(grad_cache)
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE")
      ->group(group);
  command.add_option(names("--threads"), options.threads, "Threads to compute with. 0: all cores")
      ->check(CLI::Range(0, 4096))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option_function<std::string>(
          names("--dtype"), [&options](const std::string& name) { options.compute = *compute_type_from(name); },
          "What matrices are multiplied in, forward and backward: f32, exact; bf16, rounded to 8 bits of precision, on "
          "processors with instructions for it, where it may be twice as fast; auto: bf16 where the weights have 16 "
          "bits and this processor is clearly faster with it, else f32. Sums, loss, gradients and what is trained are "
          "f32 in any case")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}))
      ->type_name("TYPE")
      ->default_str("f32")
      ->group(group);
  command
      .add_option(names("--backend"), options.backend,
                  "What computes: cpu, or reference (slow and plain, to check with)")
      ->check(CLI::IsMember(strings(backend_names())))
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
}

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
  paths.reads_model("--model_name", options.model);
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
  options.model = model_folder(options.model, ranks);
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
  add_files(*command, *options);
  add_msmarco_options(*command, options->msmarco);
  add_texts(*command, *options);
  add_steps(*command, *options);
  add_parameters(*command, *options);
  add_checkpoints(*command, *options);
  auto dev = std::make_shared<DevArguments>();
  add_dev_options(*command, *dev);
  add_watch_options(*command, *options);
  add_machine(*command, *options);
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
