#include "train/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <numeric>

#include <fmt/format.h>

#include "base/free_memory.h"
#include "encode/text_preparation.h"
#include "model/family.h"
#include "model/parameters.h"
#include "sgpt/error.h"
#include "train/exchange.h"

namespace sgpt {
namespace {

constexpr double kClipEps = 1e-6;  // as torch.nn.utils.clip_grad_norm_

/// Elements [first, first + count) of a row of f32.
Matrix part(Matrix row, std::int64_t first, std::int64_t count) {
  return {static_cast<unsigned char*>(row.data) + static_cast<std::size_t>(first) * sizeof(float), 1, count};
}

GradCacheOptions grad_cache_options(const TrainerOptions& options) {
  return {options.pooling, options.scale, options.chunk_size, options.activation_memory};
}

/// "norm" in today's families and in BLOOM's, "ln_1" and "ln_f" in the GPTs' and at BLOOM's end.
bool is_of_norm(std::string_view name) {
  return name.find("norm") != std::string_view::npos || name.find("ln_") != std::string_view::npos;
}

}  // namespace

TrainedParameters trained_parameters(const Freezing& freezing) {
  TrainedParameters which;
  which.trained = [freezing](std::string_view name) {
    if (freezing.lora) return name.find("lora_") != std::string_view::npos;
    if (!freezing.all && !freezing.non_bias && !freezing.train_norms) return true;
    if (freezing.train_norms && is_of_norm(name)) return true;
    if (freezing.train_embedding && is_word_embedding(name)) return true;
    return freezing.non_bias && name.find("bias") != std::string_view::npos;
  };
  which.decayed = [](std::string_view name) {
    static constexpr std::array<std::string_view, 3> kNoDecay{"bias", "LayerNorm.bias", "LayerNorm.weight"};
    return std::none_of(kNoDecay.begin(), kNoDecay.end(),
                        [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
  };
  return which;
}

Trainer::Trainer(Backend& backend, Decoder& model, const TrainerOptions& options, Communicator& ranks)
    : backend_(backend),
      model_(model),
      options_(options),
      ranks_(ranks),
      grad_cache_(backend, model, grad_cache_options(options), ranks) {
  const std::int64_t size = trained_size();
  if (size == 0 && !has_biases(model.config())) {
    throw UserError(fmt::format(
        "nothing is left to train: {} has no biases, which are all that --freezenonbias and --freeze leave; "
        "use --lora_r 16 for LoRA, --train_norms for the norms, or --unfreezewte for the word embedding",
        model.config().family->name));
  }
  if (size == 0) {
    throw UserError(
        "nothing is left to train: --freeze holds every parameter; use --freezenonbias for the biases alone, --lora_r "
        "16 for "
        "LoRA, or --unfreezewte for the word embedding");
  }
  moments_ = Buffer(backend.memory(), static_cast<std::size_t>(2 * size) * sizeof(float));
  const Matrix moments(moments_.data(), 2, size);
  backend.zero(moments);
  state_.first_moment = moments.slice(0, 1);
  state_.second_moment = moments.slice(1, 1);
}

GradCache::Result Trainer::gradients(std::span<const TrainingBatch> batches) {
  model_.zero_gradients();
  const double share = 1 / static_cast<double>(batches.size());
  GradCache::Result result;
  for (const TrainingBatch& batch : batches) {
    const GradCache::Result one = grad_cache_.accumulate(batch, share);
    result.loss += share * one.loss;
    result.chunks += one.chunks;
    result.twice += one.twice;
    result.from_inputs += one.from_inputs;
    result.computed_again += share * one.computed_again;
  }
  sum_over_ranks(ranks_, backend_, model_.trained_gradients());
  return result;
}

StepResult Trainer::step(std::span<const TrainingBatch> batches) {
  const GradCache::Result pass = gradients(batches);
  StepResult result;
  result.step = state_.step;
  std::int64_t own_tokens = 0;
  for (const TrainingBatch& batch : batches) own_tokens += batch.tokens();
  const std::vector<std::int64_t> tokens = ranks_.all_gather(own_tokens);
  result.tokens = std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0});
  result.pass = pass;
  result.loss = pass.loss;
  result.gradient_norm = std::sqrt(backend_.sum_of_squares(model_.trained_gradients()));
  result.learning_rate = options_.learning_rate *
                         schedule_factor(options_.schedule, state_.step, options_.warmup_steps, options_.total_steps);
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
    throw UserError(
        fmt::format("training went astray at step {}: loss {}, gradient norm {}; use a lower --lr or a longer "
                    "--warmup_steps",
                    result.step, result.loss, result.gradient_norm));
  }
  update(result.learning_rate, std::min(1.0, options_.max_gradient_norm / (result.gradient_norm + kClipEps)));
  ++state_.step;
  return result;
}

bool Trainer::values_are_finite() const { return std::isfinite(backend_.sum_of_squares(model_.trained_values())); }

void Trainer::resume(std::int64_t step) {
  state_.step = step;
  model_.values_changed();
}

void Trainer::update(double learning_rate, double gradient_scale) {
  AdamW adamw;
  const auto t = static_cast<double>(state_.step + 1);
  const double bias_correction = std::sqrt(1 - std::pow(adamw.beta2, t)) / (1 - std::pow(adamw.beta1, t));
  adamw.step_size = static_cast<float>(learning_rate * bias_correction);
  adamw.gradient_scale = static_cast<float>(gradient_scale);
  const auto apply = [&](std::int64_t first, std::int64_t count, double decay) {
    if (count == 0) return;
    adamw.decay = static_cast<float>(decay);
    backend_.adamw(adamw, part(model_.trained_gradients(), first, count), part(model_.trained_values(), first, count),
                   part(state_.first_moment, first, count), part(state_.second_moment, first, count));
  };
  const std::int64_t decayed = model_.decayed_size();
  apply(0, decayed, learning_rate * options_.weight_decay);
  apply(decayed, trained_size() - decayed, 0);
  model_.values_changed();
}

std::size_t default_activation_memory(std::uint64_t reserved) {
  const std::uint64_t free_bytes = free_memory();
  return static_cast<std::size_t>((free_bytes - std::min(free_bytes, reserved)) / 2);
}

TrainingBatch make_batch(const TextPreparation& preparation, std::span<const TextExample> examples) {
  std::vector<std::string> texts;
  const auto column = [&](TextKind kind, auto text_of) {
    texts.clear();
    std::transform(examples.begin(), examples.end(), std::back_inserter(texts), text_of);
    const PreparedTexts prepared = preparation.prepare(texts, kind);
    TokenBatch packed;
    for (const TokenIds& ids : prepared.ids) packed.add(ids, prepared.skipped);
    return packed;
  };
  TrainingBatch batch;
  batch.columns.push_back(column(TextKind::query, [](const TextExample& example) { return example.query; }));
  batch.columns.push_back(column(TextKind::document, [](const TextExample& example) { return example.positive; }));
  const std::size_t negatives = examples.empty() ? 0 : examples.front().negatives.size();
  for (std::size_t i = 0; i < negatives; ++i) {
    batch.columns.push_back(
        column(TextKind::document, [i](const TextExample& example) { return example.negatives.at(i); }));
  }
  return batch;
}

}  // namespace sgpt
