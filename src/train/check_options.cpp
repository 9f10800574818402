#include "train/check_options.h"

#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sgpt/error.h"
#include "train/schedule.h"

namespace sgpt {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 30;  // of anything that is counted: products still fit into 63 bits

void check_count(std::string_view name, std::int64_t value, std::int64_t least) {
  if (value < least || value > kMost) {
    throw UserError(fmt::format("{} is {}, but must be from {} to {}", name, value, least, kMost));
  }
}

void check_number(std::string_view name, double value, bool may_be_zero) {
  if (!std::isfinite(value) || value < 0 || (value == 0 && !may_be_zero)) {
    throw UserError(fmt::format("{} is {}, but must be {}", name, value, may_be_zero ? "0 or more" : "more than 0"));
  }
}

void check_nli(const TrainOptions& options) {
  check_count("--evaluation_steps", options.nli->evaluation_steps.value_or(0), 0);
  if (!options.train_data.empty()) {
    throw UserError(fmt::format("--nli takes the place of --train_data, which is {}: leave one of them out",
                                options.train_data.string()));
  }
  if (options.no_duplicates) {
    throw UserError("--no_duplicates: of --nli no text stands twice in a batch anyway; leave the option out");
  }
}

void check_lora(const TrainOptions& options) {
  const LoraOptions& lora = *options.lora;
  check_count("--lora_r", lora.rank, 1);
  check_number("--lora_alpha", lora.alpha, false);
  if (!options.adapter.empty()) {
    throw UserError(
        fmt::format("--lora_r and --adapter were given: {} is trained further with the rank, alpha and "
                    "targets that it has; leave --lora_r and its like out",
                    options.adapter.string()));
  }
}

/// LoRA trains its own matrices alone: an adapter has no place for others.
void check_frozen(const TrainOptions& options) {
  const std::pair<const char*, bool> others[] = {{"--freeze", options.freeze},
                                                 {"--freezenonbias", options.freeze_non_bias},
                                                 {"--unfreezewte", options.train_word_embeddings},
                                                 {"--train_norms", options.train_norms}};
  for (const auto& [name, given] : others) {
    if (!given) continue;
    throw UserError(
        fmt::format("{} and {} were given: LoRA trains its small matrices alone, and an adapter has no place "
                    "for other parameters; choose one of the two",
                    options.lora ? "--lora_r" : "--adapter", name));
  }
}

}  // namespace

void check_options(const TrainOptions& options) {
  check_count("--train_batch_size", options.batch_size, 1);
  check_count("--epochs", options.epochs, 1);
  check_count("--steps_per_epoch", options.steps_per_epoch, 0);
  check_count("--gradient_accumulation", options.gradient_accumulation, 1);
  check_count("--warmup_steps", options.warmup_steps.value_or(0), 0);
  check_count("--chunksize", options.chunk_size, 0);
  check_count("--max_seq_length", options.max_seq_length, 1);
  check_count("--negatives_per_query", options.negatives_per_query, 0);
  check_count("--train_dataset_max_size", options.train_dataset_max_size, 0);
  check_count("--checkpoint_save_steps", options.checkpoint_save_steps, 0);
  check_count("--checkpoint_save_total_limit", options.checkpoint_save_total_limit, 0);
  check_count("--num_negs_per_system", options.msmarco.negatives_per_system, 1);
  if (!std::isfinite(options.msmarco.score_margin)) {
    throw UserError(fmt::format("--ce_score_margin is {}, but must be a number", options.msmarco.score_margin));
  }
  if (options.train_data.empty() && options.negatives_per_query > 1) {
    throw UserError(fmt::format("--negatives_per_query is {}, but of {} each query has 1 in a step",
                                options.negatives_per_query, options.nli ? "NLI" : "MS MARCO"));
  }
  if (options.brackets &&
      !(options.query_prompt.value_or("").empty() && options.document_prompt.value_or("").empty())) {
    throw UserError(
        "--specb and --query_prompt or --document_prompt were given; special brackets and prompts do not go "
        "together: choose one of the two");
  }
  if (options.nli) check_nli(options);
  if (options.lora) check_lora(options);
  if (options.lora || !options.adapter.empty()) check_frozen(options);
  check_number("--lr", options.learning_rate, true);
  check_number("--weight_decay", options.weight_decay, true);
  check_number("--max_grad_norm", options.max_gradient_norm, false);
  check_number("--scale", options.scale, false);
  if (options.compute == ComputeType::int8) {
    throw UserError("--dtype is int8, but training computes in f32 or bf16");
  }
  if (!schedule_from(options.scheduler)) {
    throw UserError(
        fmt::format("no scheduler is called '{}'; there are {}", options.scheduler, fmt::join(schedule_names(), ", ")));
  }
}

void check_options_of_adapter(TrainOptions options, const std::filesystem::path& adapter) {
  options.adapter = adapter;
  check_options(options);
}

}  // namespace sgpt
