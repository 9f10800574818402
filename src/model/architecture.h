// What a decoder is, as data: its sizes, how it knows where a token stands, and what its attention sees. A family of
// models (BLOOM, GPT-2, …) reads it from config.json; the passes ask nothing else, but which parameters are there.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "model/rotary.h"

namespace sgpt {

struct Family;

/// How a decoder knows where in its text a token stands.
enum class Positions {
  alibi,    ///< scores fall with the distance, by a slope for each head (arXiv 2108.12409)
  learned,  ///< a table of positions is added to the embedding
  rotary,   ///< numbers of every head's query and key are turned by the position (arXiv 2104.09864)
};

/// Where a head's query, key and value lie in what the attention's first matrices make.
enum class HeadLayout {
  side_by_side,  ///< one matrix [3d, d]; per head query, key, value
  in_thirds,     ///< one matrix [3d, d]; all queries, all keys, all values
  apart,         ///< three matrices, [H · D, d] and two of [K · D, d]
};

/// The numbers that a new model is made of; `positions` counts where the family has a limit.
struct Sizes {
  std::int64_t hidden = 0;      // d
  std::int64_t layers = 0;      // L
  std::int64_t heads = 0;       // H
  std::int64_t vocabulary = 0;  // V, rows of the embedding
  std::int64_t positions = 2048;
};

struct Architecture {
  const Family* family = nullptr;  // never null in an Architecture that read_ or make_architecture gave
  std::int64_t hidden = 0;         // d
  std::int64_t layers = 0;         // L
  std::int64_t heads = 0;          // H
  std::int64_t vocabulary = 0;     // V, rows of the embedding
  std::int64_t inner = 0;          // f, within the feed-forward part
  std::int64_t own_head_dim = 0;   // D, where it is not d / H
  std::int64_t own_key_heads = 0;  // K, heads of keys and values, where there are fewer than H
  float layer_norm_eps = 1e-5f;
  float norm_plus = 0;                       // added to the weights of RMSNorms
  Activation activation = Activation::gelu;  // of the feed-forward part, or of its gate
  float embedding_factor = 1;                // of rows of the embedding
  Positions positions = Positions::alibi;
  std::int64_t longest_text = 0;  // tokens of a text at most; 0: any number
  std::int64_t rotary_dims = 0;   // of each head; 0 where positions are not rotary
  Pairing pairing = Pairing::neighbours;
  Rotary rotary;
  std::optional<Rotary> window_rotary;  // of layers with a window, where it is another
  HeadLayout head_layout = HeadLayout::side_by_side;
  float score_scale = 1;  // of a query's product with a key
  bool causal = true;     // a token sees none after it
  // [L] keys that a layer's query sees, its own the last; 0: all. Empty: all 0. Both ways it sees as many on each side
  // beside its own, or half as many.
  std::vector<std::int64_t> windows;
  bool halved_both_ways = false;

  std::int64_t head_dim() const { return own_head_dim > 0 ? own_head_dim : hidden / heads; }
  std::int64_t key_heads() const { return own_key_heads > 0 ? own_key_heads : heads; }
  std::int64_t query_width() const { return heads * head_dim(); }
  std::int64_t key_width() const { return key_heads() * head_dim(); }
  /// Keys on a side, its own included, as AttentionOptions has it.
  std::int64_t window(std::int64_t layer) const {
    const std::int64_t keys = windows.empty() ? 0 : windows[static_cast<std::size_t>(layer)];
    if (keys == 0 || causal) return keys;
    return (halved_both_ways ? keys / 2 : keys) + 1;
  }
};

/// Reads config.json of any family (model_type), with any of the key spellings that checkpoints use. Throws UserError
/// naming file and key: a model_type that sgpt does not run, a key missing or out of range, heads that do not divide
/// the hidden size, or a variant that sgpt does not compute.
Architecture read_architecture(const std::filesystem::path& config_json);

/// A new model of a family, as config.json names it ("bloom"), with that family's usual proportions. Throws UserError
/// on an unknown family, or on sizes that do not go together.
Architecture make_architecture(std::string_view model_type, const Sizes& sizes);

/// Lets the attention look both ways, or not, whatever config.json says. Throws UserError where it cannot: ALiBi's
/// slopes are made for keys before the query.
void set_causal(Architecture& architecture, bool causal);

/// "bloom hidden=1024 …": all that the numbers of a forward pass depend on, for checksums. BLOOM's line never changes,
/// or its old checkpoints would be strangers.
std::string summary_of(const Architecture& architecture);

/// 1 / sqrt(head_dim), as transformers rounds it.
inline float usual_score_scale(const Architecture& architecture) {
  return 1.0f / std::sqrt(static_cast<float>(architecture.head_dim()));
}

}  // namespace sgpt
