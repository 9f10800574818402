// Llama (arXiv 2302.13971), 2 and 3: the layout itself, without windows.
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
    {Role::attention_out, "self_attn.o_proj", false},
    {Role::norm2, "post_attention_layernorm", false},
    {Role::gate, "mlp.gate_proj", false},
    {Role::widen, "mlp.up_proj", false},
    {Role::narrow, "mlp.down_proj", false},
    {Role::last_norm, "norm", false},
};

Architecture make(const Sizes& sizes) { return llama_layout::make(kLlama, sizes); }

Architecture read(const JsonFile& config) { return llama_layout::read(config, kLlama); }

void write(const Architecture& llama, nlohmann::ordered_json& config) {
  llama_layout::write(llama, config);
  config.update({{"attention_bias", false}, {"mlp_bias", false}});
}

}  // namespace

constinit const Family kLlama{"llama", "Llama", "LlamaModel", kRoles, make, read, write, {.tied = false}, "layers."};

}  // namespace sgpt
