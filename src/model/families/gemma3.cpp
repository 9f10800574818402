// Gemma 3 (arXiv 2503.19786), the text model, and EmbeddingGemma (arXiv 2509.20354): four norms a layer with weights
// less 1, a scaled embedding, and windows in most layers, which have rotary positions of their own.
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "model/families/llama_layout.h"

namespace sgpt {
namespace {

constexpr std::int64_t kUsualHeadDim = 256;
constexpr std::int64_t kUsualPattern = 6;
constexpr std::int64_t kUsualWindow = 512;
constexpr double kTheta = 1'000'000;
constexpr double kWindowTheta = 10'000;

constexpr RoleNames kRoles[] = {
    {Role::token_embedding, "embed_tokens", false},
    {Role::norm1, "input_layernorm", false},
    {Role::query, "self_attn.q_proj", false},
    {Role::key, "self_attn.k_proj", false},
    {Role::value, "self_attn.v_proj", false},
    {Role::query_norm, "self_attn.q_norm", false},
    {Role::key_norm, "self_attn.k_norm", false},
    {Role::attention_out, "self_attn.o_proj", false},
    {Role::attention_norm, "post_attention_layernorm", false},
    {Role::norm2, "pre_feedforward_layernorm", false},
    {Role::gate, "mlp.gate_proj", false},
    {Role::widen, "mlp.up_proj", false},
    {Role::narrow, "mlp.down_proj", false},
    {Role::feed_forward_norm, "post_feedforward_layernorm", false},
    {Role::last_norm, "norm", false},
};

/// What no key of config.json says.
void set_fixed(Architecture& gemma) {
  gemma.norm_plus = 1;
  gemma.activation = Activation::gelu;
  gemma.embedding_factor = std::sqrt(static_cast<float>(gemma.hidden));
  gemma.halved_both_ways = true;
}

/// Every layer but each sixth, or whichever the pattern says.
std::vector<bool> sliding_layers(std::int64_t layers, std::int64_t pattern) {
  std::vector<bool> sliding;
  for (std::int64_t layer = 0; layer < layers; ++layer) sliding.push_back((layer + 1) % pattern != 0);
  return sliding;
}

Architecture make(const Sizes& sizes) {
  Architecture gemma = llama_layout::make(kGemma3, sizes);
  set_fixed(gemma);
  gemma.rotary.theta = kTheta;
  gemma.window_rotary = Rotary{.theta = kWindowTheta};
  for (const bool slides : sliding_layers(sizes.layers, kUsualPattern)) {
    gemma.windows.push_back(slides ? kUsualWindow : 0);
  }
  return gemma;
}

void read_windows(const JsonFile& config, Architecture& gemma) {
  std::optional<std::vector<bool>> sliding = llama_layout::read_layer_types(config, gemma.layers);
  if (!sliding) {
    const bool old = config.integer("sliding_window_pattern").has_value();
    const char* key = old ? "sliding_window_pattern" : "_sliding_window_pattern";
    const bool said = config.integer(key).has_value();
    sliding = sliding_layers(gemma.layers, said ? size_under(config, {key}, 1 << 20) : kUsualPattern);
  }
  llama_layout::set_windows(config, *sliding, gemma);
}

void read_rotaries(const JsonFile& config, Architecture& gemma) {
  if (const auto* parameters = config.find("rope_parameters"); parameters && parameters->is_object()) {
    gemma.rotary = llama_layout::read_rotary(config, "full_attention");
    gemma.window_rotary = llama_layout::read_rotary(config, "sliding_attention");
    return;
  }
  gemma.rotary = llama_layout::read_rotary(config);
  if (!config.number("rope_theta")) gemma.rotary.theta = kTheta;
  gemma.window_rotary = Rotary{.theta = config.number("rope_local_base_freq").value_or(kWindowTheta)};
  if (!(gemma.window_rotary->theta > 1)) config.fail("rope_local_base_freq", "a number above 1");
}

Architecture read(const JsonFile& config) {
  Architecture gemma = llama_layout::read(config, kGemma3,
                                          {.head_dim = kUsualHeadDim,
                                           .activation_key = "hidden_activation",
                                           .activation = "gelu_pytorch_tanh",
                                           .one_rotary = false});
  set_fixed(gemma);
  read_rotaries(config, gemma);
  const double scalar = config.number("query_pre_attn_scalar").value_or(static_cast<double>(kUsualHeadDim));
  if (!(scalar > 0)) config.fail("query_pre_attn_scalar", "a number above 0");
  gemma.score_scale = static_cast<float>(1 / std::sqrt(scalar));
  if (config.number("attn_logit_softcapping")) {
    config.fail("attn_logit_softcapping", "null: sgpt does not bound the scores of the attention");
  }
  read_windows(config, gemma);
  return gemma;
}

/// The number whose inverse root the scores' factor is: whole, as transformers wants it, but for what a float rounded.
nlohmann::ordered_json scalar_of(float score_scale) {
  constexpr double kRounding = 1e-6;
  const double scalar = 1.0 / (static_cast<double>(score_scale) * score_scale), whole = std::round(scalar);
  if (std::abs(scalar - whole) <= kRounding * scalar) return static_cast<std::int64_t>(whole);
  return scalar;
}

void write(const Architecture& gemma, nlohmann::ordered_json& config) {
  llama_layout::write(gemma, config);
  llama_layout::write_windows(gemma, config);
  for (const char* key : {"hidden_act", "rope_theta", "use_sliding_window"}) config.erase(key);
  config["rope_parameters"] = {{"full_attention", llama_layout::rotary_json(gemma.rotary)},
                               {"sliding_attention", llama_layout::rotary_json(*gemma.window_rotary)}};
  config.update({{"hidden_activation", "gelu_pytorch_tanh"},
                 {"query_pre_attn_scalar", scalar_of(gemma.score_scale)},
                 {"attention_bias", false},
                 {"use_bidirectional_attention", !gemma.causal}});
}

}  // namespace

constinit const Family kGemma3{"gemma3_text", "Gemma 3", "Gemma3TextModel", kRoles,   make,
                               read,          write,     {.tied = true},    "layers."};

}  // namespace sgpt
