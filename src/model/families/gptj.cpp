// GPT-J: rotary positions in a part of every head, no biases in the attention, and one LayerNorm that the attention and
// the feed-forward part both read, whose outputs are added up.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/family.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::int64_t kUsualRotaryDims = 64;

constexpr RoleNames kRoles[] = {
    {Role::token_embedding, "wte", false},
    {Role::norm1, "ln_1"},
    {Role::query, "attn.q_proj", false},
    {Role::key, "attn.k_proj", false},
    {Role::value, "attn.v_proj", false},
    {Role::attention_out, "attn.out_proj", false},
    {Role::widen, "mlp.fc_in"},
    {Role::narrow, "mlp.fc_out"},
    {Role::last_norm, "ln_f"},
};

Architecture make(const Sizes& sizes) {
  Architecture gptj;
  gptj.family = &kGptJ;
  gptj.hidden = sizes.hidden;
  gptj.layers = sizes.layers;
  gptj.heads = sizes.heads;
  gptj.vocabulary = sizes.vocabulary;
  gptj.inner = 4 * sizes.hidden;
  gptj.positions = Positions::rotary;
  gptj.longest_text = sizes.positions;
  gptj.rotary_dims = std::min(kUsualRotaryDims, gptj.head_dim() / 2 * 2);
  gptj.head_layout = HeadLayout::apart;
  gptj.score_scale = usual_score_scale(gptj);
  return gptj;
}

std::int64_t read_rotary_dims(const JsonFile& config, const Architecture& gptj) {
  static constexpr const char* kKey = "rotary_dim";
  if (const auto value = config.root().find(kKey); value != config.root().end() && value->is_null()) {
    throw UserError(
        fmt::format("{}: rotary_dim: expected a number, found null, with which whole heads would be turned; "
                    "no released GPT-J is so",
                    config.path().string()));
  }
  const std::int64_t dims = config.integer(kKey).value_or(kUsualRotaryDims);
  if (dims < 2 || dims > gptj.head_dim() || dims % 2 != 0) {
    throw UserError(fmt::format("{}: rotary_dim: expected an even number from 2 to the size of a head, {}, found {}",
                                config.path().string(), gptj.head_dim(), dims));
  }
  return dims;
}

Architecture read(const JsonFile& config) {
  Architecture gptj = make(read_sizes(config, {.hidden = {"n_embd", "hidden_size"},
                                               .layers = {"n_layer", "num_hidden_layers"},
                                               .heads = {"n_head", "num_attention_heads"},
                                               .positions = {"n_positions", "max_position_embeddings", "n_ctx"}}));
  gptj.inner = read_inner(config, "n_inner", gptj);
  gptj.rotary_dims = read_rotary_dims(config, gptj);
  gptj.layer_norm_eps = read_layer_norm_eps(config);
  require_gelu(config, "activation_function");
  return gptj;
}

void write(const Architecture& gptj, nlohmann::ordered_json& config) {
  config.update({{"n_embd", gptj.hidden},
                 {"n_layer", gptj.layers},
                 {"n_head", gptj.heads},
                 {"n_inner", gptj.inner},
                 {"n_positions", gptj.longest_text},
                 {"rotary_dim", gptj.rotary_dims},
                 {"vocab_size", gptj.vocabulary},
                 {"layer_norm_epsilon", shortest(gptj.layer_norm_eps)},
                 {"activation_function", "gelu_new"},
                 {"initializer_range", 0.02},
                 {"tie_word_embeddings", false},
                 {"resid_pdrop", 0.0},
                 {"embd_pdrop", 0.0},
                 {"attn_pdrop", 0.0}});
}

}  // namespace

constinit const Family kGptJ{"gptj", "GPT-J", "GPTJModel", kRoles, make, read, write, {.tied = false, .bias = true}};

}  // namespace sgpt
