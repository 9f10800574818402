// Qwen 2 and 2.5 (arXiv 2407.10671): Llama's layout with biases of queries, keys and values, which no key of
// config.json speaks of.
#include <nlohmann/json.hpp>

#include "model/families/llama_layout.h"

namespace sgpt {
namespace {

constexpr RoleNames kRoles[] = {
    {Role::token_embedding, "embed_tokens", false},
    {Role::norm1, "input_layernorm", false},
    {Role::query, "self_attn.q_proj"},
    {Role::key, "self_attn.k_proj"},
    {Role::value, "self_attn.v_proj"},
    {Role::attention_out, "self_attn.o_proj", false},
    {Role::norm2, "post_attention_layernorm", false},
    {Role::gate, "mlp.gate_proj", false},
    {Role::widen, "mlp.up_proj", false},
    {Role::narrow, "mlp.down_proj", false},
    {Role::last_norm, "norm", false},
};

Architecture make(const Sizes& sizes) { return llama_layout::make(kQwen2, sizes); }

Architecture read(const JsonFile& config) {
  Architecture qwen2 = llama_layout::read(config, kQwen2);
  llama_layout::read_switched_windows(config, qwen2);
  return qwen2;
}

void write(const Architecture& qwen2, nlohmann::ordered_json& config) {
  llama_layout::write(qwen2, config);
  llama_layout::write_windows(qwen2, config);
}

}  // namespace

constinit const Family kQwen2{"qwen2", "Qwen2", "Qwen2Model", kRoles, make, read, write, {.tied = false}, "layers."};

}  // namespace sgpt
