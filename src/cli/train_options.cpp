#include "cli/train_options.h"

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "backend/backend.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/model_option.h"
#include "cli/msmarco_options.h"
#include "cli/watch_options.h"
#include "train/schedule.h"

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
    command.add_option(names(name), value, help)->type_name(kPromptType)->group(group);
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
      .add_flag(names("--train_norms"), options.train_norms,
                "Train the norms alone; with --freezenonbias, norms and biases")
      ->group(group);
  command
      .add_flag(names("--unfreezewte"), options.train_word_embeddings,
                "Train the word embedding, also when the rest is frozen")
      ->group(group);
}

void add_lora(CLI::App& command, TrainOptions& options) {
  const char* group = "LoRA: small matrices are trained beside frozen ones, and saved as a PEFT adapter";
  CLI::Option* rank = command.add_option_function<std::int64_t>(
      names("--lora_r"),
      [&options](const std::int64_t& r) {
        if (!options.lora) options.lora.emplace();
        options.lora->rank = r;
      },
      "Train LoRA, with matrices of this rank");
  rank->check(CLI::Range(std::int64_t{1}, kMost))->type_name("N")->group(group);
  const auto set = [&options](auto LoraOptions::*member) {
    return [&options, member](const auto& value) {
      if (!options.lora) options.lora.emplace();
      (*options.lora).*member = value;
    };
  };
  command
      .add_option_function<double>(names("--lora_alpha"), set(&LoraOptions::alpha),
                                   "Alpha: the product of the two is multiplied by alpha / rank")
      ->needs(rank)
      ->check(CLI::Validator(not_negative, ""))
      ->type_name("X")
      ->default_str("8")
      ->group(group);
  command
      .add_option_function<std::string>(
          names("--lora_targets"), set(&LoraOptions::targets),
          "Beside which matrices: all-linear; ends of their names, separated by commas (q_proj,v_proj); or a regular "
          "expression for whole names")
      ->needs(rank)
      ->type_name("NAMES")
      ->default_str("all-linear")
      ->group(group);
  command
      .add_flag_callback(
          names("--use_rslora"),
          [&options] {
            if (!options.lora) options.lora.emplace();
            options.lora->rank_stabilised = true;
          },
          "Multiply by alpha / sqrt(rank) instead (rank-stabilised)")
      ->needs(rank)
      ->group(group);
  add_adapter_option(command, options.adapter)
      ->description(
          "A PEFT adapter (LoRA) of the model, whose matrices are trained further: a folder with "
          "adapter_config.json. So is a model that is an adapter itself")
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

}  // namespace

void add_train_options(CLI::App& command, TrainOptions& options, DevArguments& dev) {
  add_files(command, options);
  add_msmarco_options(command, options.msmarco);
  add_texts(command, options);
  add_steps(command, options);
  add_parameters(command, options);
  add_lora(command, options);
  add_checkpoints(command, options);
  add_dev_options(command, dev);
  add_watch_options(command, options);
  add_machine(command, options);
}

}  // namespace sgpt::cli
