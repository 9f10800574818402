// GPT-Neo: learned positions, unscaled scores, attention without biases before its output, and layers that see all keys
// (global) or a window of them (local) by turns.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/describe.h"
#include "model/family.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::int64_t kUsualWindow = 256;
constexpr std::int64_t kMostWindow = 1 << 20;

constexpr RoleNames kRoles[] = {
    {Role::token_embedding, "wte", false},
    {Role::position_embedding, "wpe", false},
    {Role::norm1, "ln_1"},
    {Role::query, "attn.attention.q_proj", false},
    {Role::key, "attn.attention.k_proj", false},
    {Role::value, "attn.attention.v_proj", false},
    {Role::attention_out, "attn.attention.out_proj"},
    {Role::norm2, "ln_2"},
    {Role::widen, "mlp.c_fc"},
    {Role::narrow, "mlp.c_proj"},
    {Role::last_norm, "ln_f"},
};

Architecture make(const Sizes& sizes) {
  Architecture neo;
  neo.family = &kGptNeo;
  neo.hidden = sizes.hidden;
  neo.layers = sizes.layers;
  neo.heads = sizes.heads;
  neo.vocabulary = sizes.vocabulary;
  neo.inner = 4 * sizes.hidden;
  neo.positions = Positions::learned;
  neo.longest_text = sizes.positions;
  neo.head_layout = HeadLayout::apart;
  neo.score_scale = 1;
  for (std::int64_t layer = 0; layer < sizes.layers; ++layer) neo.windows.push_back(layer % 2 == 0 ? 0 : kUsualWindow);
  return neo;
}

/// "global" and "local", appended from a list of them.
void append_kinds(const JsonFile& config, const char* key, const nlohmann::json& list, std::vector<bool>& local) {
  if (!list.is_array()) config.fail(key, R"(lists of "global" and "local")");
  for (const auto& kind : list) {
    if (kind != "global" && kind != "local") config.fail(key, R"("global" or "local" for each layer)");
    local.push_back(kind == "local");
  }
}

/// attention_types: a list of [pattern, repeats].
std::vector<bool> expanded(const JsonFile& config, const nlohmann::json& types, std::int64_t layers) {
  static constexpr const char* kKey = "attention_types";
  if (!types.is_array()) config.fail(kKey, "a list of [pattern, repeats]");
  std::vector<bool> local;
  for (const auto& entry : types) {
    if (!entry.is_array() || entry.size() != 2 || !entry[1].is_number_integer()) {
      config.fail(kKey, "a list of [pattern, repeats]");
    }
    const auto repeats = entry[1].get<std::int64_t>();
    if (repeats < 0 || repeats > layers) config.fail(kKey, fmt::format("repeats from 0 to {}", layers));
    for (std::int64_t i = 0; i < repeats; ++i) append_kinds(config, kKey, entry[0], local);
  }
  return local;
}

/// Whether each layer is local: attention_layers, or attention_types written out. Where both are there, they agree.
std::vector<bool> read_local(const JsonFile& config, std::int64_t layers) {
  const auto check = [&](const char* key, const std::vector<bool>& local) {
    if (std::ssize(local) == layers) return;
    throw UserError(fmt::format("{}: {}: expected kinds of attention for {} layers, found {}", config.path().string(),
                                key, layers, local.size()));
  };
  std::vector<bool> local;
  const auto* types = config.find("attention_types");
  const auto* list = config.find("attention_layers");
  if (list) {
    append_kinds(config, "attention_layers", *list, local);
    check("attention_layers", local);
  }
  if (types) {
    const std::vector<bool> other = expanded(config, *types, layers);
    check("attention_types", other);
    if (list && other != local) config.fail("attention_layers", "the same as attention_types written out");
    local = other;
  }
  if (!types && !list) config.fail("attention_types", "a list of [pattern, repeats]");
  return local;
}

Architecture read(const JsonFile& config) {
  Architecture neo = make(read_sizes(config, {.hidden = {"hidden_size"},
                                              .layers = {"num_layers", "num_hidden_layers"},
                                              .heads = {"num_heads", "num_attention_heads"},
                                              .positions = {"max_position_embeddings"}}));
  neo.inner = read_inner(config, "intermediate_size", neo);
  neo.layer_norm_eps = read_layer_norm_eps(config);
  require_gelu(config, "activation_function");
  const std::int64_t window =
      config.integer("window_size") ? size_under(config, {"window_size"}, kMostWindow) : kUsualWindow;
  const std::vector<bool> local = read_local(config, neo.layers);
  for (std::size_t layer = 0; layer < local.size(); ++layer) neo.windows[layer] = local[layer] ? window : 0;
  return neo;
}

void write(const Architecture& neo, nlohmann::ordered_json& config) {
  std::vector<std::string> kinds;
  for (const std::int64_t window : neo.windows) kinds.emplace_back(window > 0 ? "local" : "global");
  const nlohmann::ordered_json types = nlohmann::ordered_json::array({nlohmann::ordered_json::array({kinds, 1})});
  config.update({{"hidden_size", neo.hidden},
                 {"num_layers", neo.layers},
                 {"num_heads", neo.heads},
                 {"intermediate_size", neo.inner},
                 {"max_position_embeddings", neo.longest_text},
                 {"vocab_size", neo.vocabulary},
                 {"window_size", kUsualWindow},
                 {"attention_layers", kinds},
                 {"layer_norm_epsilon", shortest(neo.layer_norm_eps)},
                 {"activation_function", "gelu_new"},
                 {"initializer_range", 0.02},
                 {"resid_dropout", 0.0},
                 {"embed_dropout", 0.0},
                 {"attention_dropout", 0.0}});
  config["attention_types"] = types;
}

}  // namespace

constinit const Family kGptNeo{"gpt_neo", "GPT-Neo", "GPTNeoModel", kRoles, make, read, write};

}  // namespace sgpt
