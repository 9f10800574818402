// What Llama and the families after it have in common: the names of their parameters, RMSNorms, gated feed-forward
// parts, heads that share keys and values, and rotary positions in halves; and how config.json spells all that.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "model/family.h"

namespace sgpt::llama_layout {

/// Of Llama itself, and of families that add nothing.
inline constexpr RoleNames kRoles[] = {
    {Role::token_embedding, "embed_tokens", false},
    {Role::norm1, "input_layernorm", false},
    {Role::query, "self_attn.q_proj", false},
    {Role::key, "self_attn.k_proj", false},
    {Role::value, "self_attn.v_proj", false},
    {Role::attention_out, "self_attn.o_proj", false},
    {Role::norm2, "post_attention_layernorm", false},
    {Role::gate, "mlp.gate_proj", false},
    {Role::widen, "mlp.up_proj", false},
    {Role::narrow, "mlp.down_proj", false},
    {Role::last_norm, "norm", false},
};

/// A new model in a family's usual proportions: K = H / 2 where that is whole, and three times the hidden size within
/// the feed-forward part.
Architecture make(const Family& family, const Sizes& sizes);

/// What a family has where config.json says nothing.
struct Defaults {
  std::int64_t head_dim = 0;  ///< 0: hidden / heads
  std::string_view activation_key = "hidden_act";
  std::string_view activation = "silu";
  bool one_rotary = true;  ///< else the family reads them
};

/// Everything but windows: sizes, heads, eps, activation, rotary positions.
/// Throws UserError on what sgpt does not compute.
Architecture read(const JsonFile& config, const Family& family, const Defaults& defaults = {});

/// The rotary positions under rope_parameters (or `key` in it), or under rope_theta and rope_scaling.
Rotary read_rotary(const JsonFile& config, std::string_view key = {});

/// Whether each layer has a window, as layer_types says; nothing where that key is missing.
std::optional<std::vector<bool>> read_layer_types(const JsonFile& config, std::int64_t layers);

/// The windows of Qwen: sliding_window in the layers from max_window_layers on, where use_sliding_window is true, or as
/// layer_types says.
void read_switched_windows(const JsonFile& config, Architecture& architecture);

/// sliding_window for the layers that have one.
void set_windows(const JsonFile& config, const std::vector<bool>& sliding, Architecture& architecture);

/// The keys that `read` reads.
void write(const Architecture& architecture, nlohmann::ordered_json& config);

/// layer_types and sliding_window, where a layer has a window.
void write_windows(const Architecture& architecture, nlohmann::ordered_json& config);

/// rope_parameters of one kind of layers.
nlohmann::ordered_json rotary_json(const Rotary& rotary);

}  // namespace sgpt::llama_layout
