// Qwen 3: Llama's layout, with an RMSNorm on each head of queries and keys, no biases, and heads whose size is not the
// hidden size over their number.
#include <nlohmann/json.hpp>

#include "model/families/llama_layout.h"

namespace sgpt {
namespace {

constexpr RoleNames kRoles[] = {
    {Role::token_embedding, "embed_tokens", false},
    {Role::norm1, "input_layernorm", false},
    {Role::query, "self_attn.q_proj", false},
    {Role::key, "self_attn.k_proj", false},
    {Role::value, "self_attn.v_proj", false},
    {Role::query_norm, "self_attn.q_norm", false},
    {Role::key_norm, "self_attn.k_norm", false},
    {Role::attention_out, "self_attn.o_proj", false},
    {Role::norm2, "post_attention_layernorm", false},
    {Role::gate, "mlp.gate_proj", false},
    {Role::widen, "mlp.up_proj", false},
    {Role::narrow, "mlp.down_proj", false},
    {Role::last_norm, "norm", false},
};

constexpr std::int64_t kUsualHeadDim = 128;

Architecture make(const Sizes& sizes) { return llama_layout::make(kQwen3, sizes); }

Architecture read(const JsonFile& config) {
  Architecture qwen3 = llama_layout::read(config, kQwen3, {.head_dim = kUsualHeadDim});
  llama_layout::read_switched_windows(config, qwen3);
  return qwen3;
}

void write(const Architecture& qwen3, nlohmann::ordered_json& config) {
  llama_layout::write(qwen3, config);
  llama_layout::write_windows(qwen3, config);
  config["attention_bias"] = false;
}

}  // namespace

constinit const Family kQwen3{"qwen3", "Qwen3", "Qwen3Model", kRoles, make, read, write, {.tied = false}, "layers."};

}  // namespace sgpt
