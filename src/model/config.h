// BLOOM's hyper-parameters, from config.json.
#pragma once

#include <cstdint>
#include <filesystem>

namespace sgpt {

struct BloomConfig {
  std::int64_t hidden = 0;      // d
  std::int64_t layers = 0;      // L
  std::int64_t heads = 0;       // H
  std::int64_t vocabulary = 0;  // V, rows of the embedding
  float layer_norm_eps = 1e-5f;

  std::int64_t head_dim() const { return hidden / heads; }
};

/// Reads config.json with any of the key spellings that checkpoints use (semantics, section 2). Throws UserError naming
/// file and key: not a BLOOM, a key missing or out of range, heads that do not divide the hidden size, or
/// apply_residual_connection_post_layernorm.
BloomConfig read_bloom_config(const std::filesystem::path& config_json);

}  // namespace sgpt
