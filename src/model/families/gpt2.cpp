// GPT-2: learned positions, biases everywhere, matrices that lie as [in, out] in checkpoints (Conv1D), and q, k and v
// one after the other in the output of one matrix.
#include <nlohmann/json.hpp>

#include "model/family.h"

namespace sgpt {
namespace {

constexpr RoleNames kRoles[] = {
    {Role::token_embedding, "wte", false},
    {Role::position_embedding, "wpe", false},
    {Role::norm1, "ln_1"},
    {.role = Role::query_key_value, .name = "attn.c_attn", .transposed = true},
    {.role = Role::attention_out, .name = "attn.c_proj", .transposed = true},
    {Role::norm2, "ln_2"},
    {.role = Role::widen, .name = "mlp.c_fc", .transposed = true},
    {.role = Role::narrow, .name = "mlp.c_proj", .transposed = true},
    {Role::last_norm, "ln_f"},
};

Architecture make(const Sizes& sizes) {
  Architecture gpt2;
  gpt2.family = &kGpt2;
  gpt2.hidden = sizes.hidden;
  gpt2.layers = sizes.layers;
  gpt2.heads = sizes.heads;
  gpt2.vocabulary = sizes.vocabulary;
  gpt2.inner = 4 * sizes.hidden;
  gpt2.positions = Positions::learned;
  gpt2.longest_text = sizes.positions;
  gpt2.head_layout = HeadLayout::in_thirds;
  gpt2.score_scale = usual_score_scale(gpt2);
  return gpt2;
}

Architecture read(const JsonFile& config) {
  Architecture gpt2 = make(read_sizes(config, {.hidden = {"n_embd", "hidden_size"},
                                               .layers = {"n_layer", "num_hidden_layers"},
                                               .heads = {"n_head", "num_attention_heads"},
                                               .positions = {"n_positions", "max_position_embeddings", "n_ctx"}}));
  gpt2.inner = read_inner(config, "n_inner", gpt2);
  gpt2.layer_norm_eps = read_layer_norm_eps(config);
  require_gelu(config, "activation_function");
  const char* why = "sgpt does not compute GPT-2's rarer variants";
  require_flag(config, "scale_attn_weights", true, why);
  require_flag(config, "scale_attn_by_inverse_layer_idx", false, why);
  require_flag(config, "reorder_and_upcast_attn", false, why);
  require_flag(config, "add_cross_attention", false, why);
  return gpt2;
}

void write(const Architecture& gpt2, nlohmann::ordered_json& config) {
  config.update({{"n_embd", gpt2.hidden},
                 {"n_layer", gpt2.layers},
                 {"n_head", gpt2.heads},
                 {"n_inner", gpt2.inner},
                 {"n_positions", gpt2.longest_text},
                 {"vocab_size", gpt2.vocabulary},
                 {"layer_norm_epsilon", shortest(gpt2.layer_norm_eps)},
                 {"activation_function", "gelu_new"},
                 {"initializer_range", 0.02},
                 {"resid_pdrop", 0.0},
                 {"embd_pdrop", 0.0},
                 {"attn_pdrop", 0.0}});
}

}  // namespace

constinit const Family kGpt2{"gpt2", "GPT-2", "GPT2Model", kRoles, make, read, write};

}  // namespace sgpt
