// Mistral (arXiv 2310.06825): Llama's layout; where sliding_window is a number, every layer has that window.
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

Architecture make(const Sizes& sizes) { return llama_layout::make(kMistral, sizes); }

Architecture read(const JsonFile& config) {
  Architecture mistral = llama_layout::read(config, kMistral);
  if (config.integer("sliding_window")) {
    llama_layout::set_windows(config, std::vector<bool>(static_cast<std::size_t>(mistral.layers), true), mistral);
  }
  return mistral;
}

void write(const Architecture& mistral, nlohmann::ordered_json& config) {
  llama_layout::write(mistral, config);
  config["sliding_window"] = nullptr;
  if (!mistral.windows.empty()) config["sliding_window"] = mistral.windows.front();
}

}  // namespace

constinit const Family kMistral{"mistral", "Mistral", "MistralModel",  kRoles,   make,
                                read,      write,     {.tied = false}, "layers."};

}  // namespace sgpt
