#include "model/memory_estimate.h"

#include "model/bloom.h"

namespace sgpt {
namespace {

constexpr std::int64_t kFloat = 4;
constexpr std::int64_t kTrained = 4 * kFloat;  // value, gradient, two moments
constexpr std::int64_t kTokensAtOnce = 2048;   // the encoder's batch

}  // namespace

MemoryEstimate estimate_memory(const BloomConfig& config) {
  std::int64_t matrices = 0;
  std::int64_t vectors = 0;
  std::int64_t biases = 0;
  std::int64_t embedding = 0;
  for (const ParameterInfo& parameter : bloom_parameters(config)) {
    const std::int64_t size = parameter.rows * parameter.cols;
    if (parameter.kind == ParameterKind::matrix) matrices += size;
    if (parameter.kind == ParameterKind::embedding) embedding += size;
    if (parameter.kind == ParameterKind::vector) vectors += size;
    if (parameter.name.ends_with(".bias")) biases += size;
  }
  // Forward: x, its LayerNorm, q k v or the four of the feed-forward part, attention's output: 10·d a token.
  const std::int64_t working = 10 * config.hidden * kFloat * kTokensAtOnce;
  // What backward needs, a layer: x, q k v, attention's output, x again, four of the feed-forward part.
  const std::int64_t numbers_a_token = config.layers * (10 * config.hidden + config.heads + 4) + 3 * config.hidden;
  MemoryEstimate estimate;
  estimate.encode = (matrices + vectors) * kFloat + working;
  estimate.train_biases = (2 * matrices + vectors) * kFloat + biases * kTrained + working;
  estimate.train_all = 2 * matrices * kFloat + (matrices + vectors + embedding) * kTrained + working;
  estimate.train_1000_tokens = 1000 * numbers_a_token * kFloat;
  return estimate;
}

std::int64_t parameter_count(const BloomConfig& config) {
  std::int64_t count = 0;
  for (const ParameterInfo& parameter : bloom_parameters(config)) count += parameter.rows * parameter.cols;
  return count;
}

}  // namespace sgpt
