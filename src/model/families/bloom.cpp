// BLOOM (arXiv 2211.05100): ALiBi, a LayerNorm after the embedding, biases everywhere, q, k and v of a head side by
// side.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/family.h"

namespace sgpt {
namespace {

constexpr RoleNames kRoles[] = {
    {Role::token_embedding, "word_embeddings", false},
    {Role::embedding_norm, "word_embeddings_layernorm"},
    {Role::norm1, "input_layernorm"},
    {Role::query_key_value, "self_attention.query_key_value"},
    {Role::attention_out, "self_attention.dense"},
    {Role::norm2, "post_attention_layernorm"},
    {Role::widen, "mlp.dense_h_to_4h"},
    {Role::narrow, "mlp.dense_4h_to_h"},
    {Role::last_norm, "ln_f"},
};

Architecture make(const Sizes& sizes) {
  Architecture bloom;
  bloom.family = &kBloom;
  bloom.hidden = sizes.hidden;
  bloom.layers = sizes.layers;
  bloom.heads = sizes.heads;
  bloom.vocabulary = sizes.vocabulary;
  bloom.inner = 4 * sizes.hidden;
  bloom.positions = Positions::alibi;
  bloom.head_layout = HeadLayout::side_by_side;
  bloom.score_scale = usual_score_scale(bloom);
  return bloom;
}

Architecture read(const JsonFile& config) {
  Architecture bloom = make(read_sizes(config, {.hidden = {"hidden_size", "n_embed"},
                                                .layers = {"n_layer", "num_hidden_layers"},
                                                .heads = {"n_head", "num_attention_heads"}}));
  bloom.layer_norm_eps = read_layer_norm_eps(config);
  require_flag(config, "apply_residual_connection_post_layernorm", false,
               "no released BLOOM has the residual connection behind the LayerNorm, and sgpt does not run one");
  if (const auto inner = config.integer("n_inner"); inner && *inner != bloom.inner) {
    config.fail("n_inner", fmt::format("four times the hidden size, {}", bloom.inner));
  }
  return bloom;
}

void write(const Architecture& bloom, nlohmann::ordered_json& config) {
  config.update({{"hidden_size", bloom.hidden},
                 {"n_layer", bloom.layers},
                 {"n_head", bloom.heads},
                 {"vocab_size", bloom.vocabulary},
                 {"layer_norm_epsilon", shortest(bloom.layer_norm_eps)},
                 {"initializer_range", 0.02},
                 {"apply_residual_connection_post_layernorm", false},
                 {"hidden_dropout", 0.0},
                 {"attention_dropout", 0.0}});
}

}  // namespace

constinit const Family kBloom{"bloom", "BLOOM", "BloomModel", kRoles, make, read, write};

}  // namespace sgpt
