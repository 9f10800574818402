// The table of BLOOM's parameters, and the slopes of its attention.
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "model/bloom.h"

namespace sgpt {

std::vector<std::int64_t> ParameterInfo::shape() const {
  if (kind == ParameterKind::vector) return {cols};
  return {rows, cols};
}

std::vector<ParameterInfo> bloom_parameters(const BloomConfig& config) {
  const std::int64_t d = config.hidden;
  std::vector<ParameterInfo> table;
  const auto norm = [&](const std::string& name) {
    table.push_back({name + ".weight", ParameterKind::vector, 1, d});
    table.push_back({name + ".bias", ParameterKind::vector, 1, d});
  };
  const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    table.push_back({name + ".weight", ParameterKind::matrix, out, in});
    table.push_back({name + ".bias", ParameterKind::vector, 1, out});
  };
  table.push_back({"word_embeddings.weight", ParameterKind::embedding, config.vocabulary, d});
  norm("word_embeddings_layernorm");
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string h = fmt::format("h.{}.", layer);
    norm(h + "input_layernorm");
    linear(h + "self_attention.query_key_value", 3 * d, d);
    linear(h + "self_attention.dense", d, d);
    norm(h + "post_attention_layernorm");
    linear(h + "mlp.dense_h_to_4h", 4 * d, d);
    linear(h + "mlp.dense_4h_to_h", d, 4 * d);
  }
  norm("ln_f");
  return table;
}

DType matrix_type(const Checkpoint& checkpoint, const BloomConfig& config) {
  for (const ParameterInfo& parameter : bloom_parameters(config)) {
    if (parameter.kind != ParameterKind::matrix) continue;
    if (const CheckpointTensor* tensor = checkpoint.find(parameter.name)) return tensor->type;
  }
  return DType::f32;
}

std::vector<float> alibi_slopes(std::int64_t heads) {
  // For a power of two m: 2^(-8(h+1)/m). Other numbers of heads take the slopes of the power of two below, and then
  // every second one of the power of two above.
  const auto power = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(heads)));
  std::vector<float> slopes;
  for (std::int64_t h = 0; h < heads; ++h) {
    const double step = h < power ? 8.0 * static_cast<double>(h + 1) / static_cast<double>(power)
                                  : 4.0 * static_cast<double>(2 * (h - power) + 1) / static_cast<double>(power);
    slopes.push_back(static_cast<float>(std::exp2(-step)));
  }
  return slopes;
}

}  // namespace sgpt
