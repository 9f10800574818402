#include "model/language_head.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/parallel.h"
#include "formats/json_file.h"
#include "model/family.h"
#include "model/finite.h"
#include "model/parameters.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::string_view kWeight = "lm_head.weight";
constexpr std::string_view kBias = "lm_head.bias";

bool is_tied(const Architecture& config, const std::filesystem::path& config_json) {
  return JsonFile(config_json).boolean("tie_word_embeddings").value_or(config.family->head.tied);
}

const CheckpointTensor& require_finite(const CheckpointTensor& tensor) {
  if (all_finite(tensor.matrix())) return tensor;
  throw UserError(fmt::format("{}: tensor '{}' holds a NaN or an infinity: the file is broken or its training diverged",
                              tensor.file.string(), tensor.name));
}

const CheckpointTensor& require_own(const Checkpoint& checkpoint, const Architecture& config, std::string_view name,
                                    std::span<const std::int64_t> shape) {
  if (!checkpoint.find(name)) {
    throw UserError(fmt::format(
        "{}: the weights have no {}, and without it this {} cannot tell how probable a token is: its output "
        "layer is not the embedding; take the folder of the causal model",
        checkpoint.folder().string(), name, config.family->name));
  }
  return require_finite(checkpoint.require(name, shape));
}

ConstMatrix weight_of(const Checkpoint& checkpoint, const Architecture& config, bool tied) {
  const std::array shape{config.vocabulary, config.hidden};
  if (!tied) return require_own(checkpoint, config, kWeight, shape).matrix();
  for (const ParameterInfo& info : decoder_parameters(config)) {
    if (info.role == Role::token_embedding) return checkpoint.require(info.name, shape).matrix();
  }
  return {};  // no family is without one
}

/// Σ exp(logits) of a row, in a form that cannot overflow: sum · exp(largest).
struct RunningSum {
  float largest = -std::numeric_limits<float>::infinity();
  double sum = 0;

  void add(std::span<const float> logits) {
    const float most = std::max(largest, *std::max_element(logits.begin(), logits.end()));
    sum *= std::exp(static_cast<double>(largest) - static_cast<double>(most));
    largest = most;
    for (const float logit : logits) sum += static_cast<double>(std::exp(logit - largest));
  }
  double log() const { return static_cast<double>(largest) + std::log(sum); }
};

}  // namespace

LanguageHead::LanguageHead(Backend& backend, const Checkpoint& checkpoint, const Architecture& config,
                           const std::filesystem::path& config_json, std::int64_t rows, std::int64_t block)
    : backend_(backend), rows_(rows == 0 ? config.vocabulary : rows) {
  if (rows_ < 1 || rows_ > config.vocabulary) {
    throw UserError(fmt::format("the softmax is asked for over {} rows of the vocabulary, but {} has {}", rows,
                                checkpoint.folder().string(), config.vocabulary));
  }
  const ConstMatrix weight = weight_of(checkpoint, config, is_tied(config, config_json));
  Matrix bias;
  if (config.family->head.bias) {
    const ConstMatrix stored = require_own(checkpoint, config, kBias, std::array{config.vocabulary}).matrix();
    bias_ = Buffer(backend.memory(), static_cast<std::size_t>(config.vocabulary) * sizeof(float));
    bias = Matrix(bias_.data(), 1, config.vocabulary);
    std::vector<float> values(static_cast<std::size_t>(config.vocabulary));
    for (std::int64_t i = 0; i < config.vocabulary; ++i) values[static_cast<std::size_t>(i)] = float_at(stored, 0, i);
    backend.upload(ConstMatrix(values.data(), 1, config.vocabulary), bias);
  }
  for (std::int64_t first = 0; first < rows_; first += block) {
    const std::int64_t count = std::min(block, rows_ - first);
    blocks_.push_back(
        {first,
         backend.pack(weight.slice(first, count), WeightUse::forward, ComputeType::f32, {}, WeightSource::lasting),
         bias ? ConstMatrix(bias.f32() + first, 1, count) : ConstMatrix()});
  }
}

std::vector<double> LanguageHead::log_probabilities(ConstMatrix hidden, std::span<const std::int32_t> targets,
                                                    Arena& arena) const {
  const bool in_place = &backend_.memory() == &host_memory();
  std::vector<RunningSum> sums(targets.size());
  std::vector<double> result(targets.size());
  std::vector<float> downloaded;
  for (const Block& block : blocks_) {
    const Arena::Scope scope(arena);
    const std::int64_t count = block.weight->out();
    Matrix logits = arena.take(hidden.rows, count);
    backend_.linear(hidden, *block.weight, block.bias, logits, Epilogue::none);
    if (!in_place) {
      downloaded.resize(static_cast<std::size_t>(logits.size()));
      const Matrix host(downloaded.data(), logits.rows, logits.cols);
      backend_.download(logits, host);
      logits = host;
    }
    parallel_tasks(hidden.rows, [&](std::int64_t row) {
      const auto i = static_cast<std::size_t>(row);
      const std::span<const float> of_row(logits.f32_row(row), static_cast<std::size_t>(count));
      sums[i].add(of_row);
      const std::int64_t target = targets[i] - block.first;
      if (target >= 0 && target < count) result[i] = of_row[static_cast<std::size_t>(target)];
    });
  }
  for (std::size_t i = 0; i < result.size(); ++i) result[i] -= sums[i].log();
  return result;
}

TokenLogits::TokenLogits(Backend& backend, const Checkpoint& checkpoint, const Architecture& config,
                         const std::filesystem::path& config_json, std::span<const std::int32_t> tokens)
    : backend_(backend) {
  if (config.family->head.bias) {
    throw UserError(fmt::format("{}: the output layer of {} has a bias, which single tokens are not asked with",
                                config_json.string(), config.family->name));
  }
  const ConstMatrix weight = weight_of(checkpoint, config, is_tied(config, config_json));
  std::vector<float> rows;
  for (const std::int32_t token : tokens) {
    if (token >= weight.rows) {
      throw UserError(fmt::format("{}: the output layer has no row for token {}: it has {}",
                                  checkpoint.folder().string(), token, weight.rows));
    }
    for (std::int64_t i = 0; i < weight.cols; ++i) rows.push_back(float_at(weight, token, i));
  }
  weight_ = backend.pack(ConstMatrix(rows.data(), std::ssize(tokens), weight.cols), WeightUse::forward);
}

std::vector<float> TokenLogits::logits(ConstMatrix hidden, Arena& arena) const {
  const Arena::Scope scope(arena);
  const Matrix logits = arena.take(hidden.rows, weight_->out());
  backend_.linear(hidden, *weight_, {}, logits, Epilogue::none);
  std::vector<float> values(static_cast<std::size_t>(logits.size()));
  backend_.download(logits, Matrix(values.data(), logits.rows, logits.cols));
  return values;
}

}  // namespace sgpt
