#include "model/families/llama_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "formats/shown.h"
#include "sgpt/error.h"

namespace sgpt::llama_layout {
namespace {

constexpr std::int64_t kMostHeadDim = 1 << 16;
constexpr std::int64_t kMostInner = 1 << 24;
constexpr std::int64_t kMostWindow = 1 << 30;
constexpr const char* kSliding = "sliding_attention";
constexpr const char* kFull = "full_attention";

void read_heads(const JsonFile& config, const Defaults& defaults, Architecture& a) {
  if (config.integer("head_dim")) {
    a.own_head_dim = size_under(config, {"head_dim"}, kMostHeadDim);
  } else if (defaults.head_dim > 0) {
    a.own_head_dim = defaults.head_dim;
  } else if (a.hidden % a.heads != 0) {
    throw UserError(fmt::format("{}: the hidden size {} cannot be divided among {} heads, and there is no head_dim",
                                config.path().string(), a.hidden, a.heads));
  }
  if (a.head_dim() % 2 != 0) {
    throw UserError(fmt::format("{}: head_dim: expected an even number, its halves being turned together, found {}",
                                config.path().string(), a.head_dim()));
  }
  if (config.integer("num_key_value_heads")) {
    a.own_key_heads = size_under(config, {"num_key_value_heads"}, a.heads);
    if (a.heads % a.own_key_heads != 0) {
      config.fail("num_key_value_heads", fmt::format("a divisor of the {} heads of queries", a.heads));
    }
  }
}

}  // namespace

Architecture make(const Family& family, const Sizes& sizes) {
  Architecture a;
  a.family = &family;
  a.hidden = sizes.hidden;
  a.layers = sizes.layers;
  a.heads = sizes.heads;
  a.own_key_heads = sizes.heads % 2 == 0 ? sizes.heads / 2 : sizes.heads;
  a.vocabulary = sizes.vocabulary;
  a.inner = 3 * sizes.hidden;
  a.layer_norm_eps = 1e-6f;
  a.activation = Activation::silu;
  a.positions = Positions::rotary;
  a.longest_text = sizes.positions;
  a.rotary_dims = a.head_dim();
  a.pairing = Pairing::halves;
  a.head_layout = HeadLayout::apart;
  a.score_scale = usual_score_scale(a);
  return a;
}

Architecture read(const JsonFile& config, const Family& family, const Defaults& defaults) {
  const Sizes sizes = read_sizes(config, {.hidden = {"hidden_size"},
                                          .layers = {"num_hidden_layers"},
                                          .heads = {"num_attention_heads"},
                                          .positions = {"max_position_embeddings"},
                                          .heads_divide = false});
  Architecture a = make(family, sizes);
  a.own_key_heads = 0;
  read_heads(config, defaults, a);
  a.rotary_dims = a.head_dim();
  a.score_scale = usual_score_scale(a);
  a.inner = size_under(config, {"intermediate_size"}, kMostInner);
  a.layer_norm_eps = read_rms_norm_eps(config);
  const std::string_view key = defaults.activation_key;
  if (config.string(key).value_or(std::string(defaults.activation)) != defaults.activation) {
    config.fail(key, fmt::format("{}, the only activation function that sgpt computes in {}",
                                 shown(defaults.activation), family.name));
  }
  for (const char* bias : {"attention_bias", "mlp_bias"}) {
    require_flag(config, bias, false, "no released model for embeddings has these biases, and sgpt does not add them");
  }
  if (defaults.one_rotary) a.rotary = read_rotary(config);
  return a;
}

std::optional<std::vector<bool>> read_layer_types(const JsonFile& config, std::int64_t layers) {
  static constexpr const char* kKey = "layer_types";
  const auto* list = config.find(kKey);
  if (!list || list->is_null()) return std::nullopt;
  if (!list->is_array() || std::ssize(*list) != layers) config.fail(kKey, fmt::format("a list of {} kinds", layers));
  std::vector<bool> sliding;
  for (const auto& kind : *list) {
    if (kind != kSliding && kind != kFull) {
      config.fail(kKey, R"("full_attention" or "sliding_attention" for each layer)");
    }
    sliding.push_back(kind == kSliding);
  }
  return sliding;
}

void read_switched_windows(const JsonFile& config, Architecture& a) {
  std::optional<std::vector<bool>> sliding = read_layer_types(config, a.layers);
  const bool on = config.boolean("use_sliding_window").value_or(false);
  if (!sliding) {
    sliding.emplace();
    const std::int64_t first = config.integer("max_window_layers").value_or(a.layers);
    for (std::int64_t layer = 0; layer < a.layers; ++layer) sliding->push_back(on && layer >= first);
  }
  set_windows(config, *sliding, a);
}

void set_windows(const JsonFile& config, const std::vector<bool>& sliding, Architecture& a) {
  a.windows.clear();
  if (std::find(sliding.begin(), sliding.end(), true) == sliding.end()) return;
  const std::int64_t window = size_under(config, {"sliding_window"}, kMostWindow);
  for (const bool slides : sliding) a.windows.push_back(slides ? window : 0);
}

void write(const Architecture& a, nlohmann::ordered_json& config) {
  config.update({{"hidden_size", a.hidden},
                 {"num_hidden_layers", a.layers},
                 {"num_attention_heads", a.heads},
                 {"num_key_value_heads", a.key_heads()},
                 {"head_dim", a.head_dim()},
                 {"intermediate_size", a.inner},
                 {"max_position_embeddings", a.longest_text},
                 {"vocab_size", a.vocabulary},
                 {"rms_norm_eps", shortest(a.layer_norm_eps)},
                 {"hidden_act", "silu"},
                 {"rope_theta", a.rotary.theta},
                 {"initializer_range", 0.02},
                 {"tie_word_embeddings", a.family->head.tied},
                 {"attention_dropout", 0.0}});
  config["rope_parameters"] = rotary_json(a.rotary);
}

void write_windows(const Architecture& a, nlohmann::ordered_json& config) {
  std::vector<std::string> kinds;
  std::int64_t largest = 0;
  for (std::int64_t layer = 0; layer < a.layers; ++layer) {
    const std::int64_t window = a.windows.empty() ? 0 : a.windows[static_cast<std::size_t>(layer)];
    kinds.emplace_back(window > 0 ? kSliding : kFull);
    largest = std::max(largest, window);
  }
  config["layer_types"] = kinds;
  config["sliding_window"] = nullptr;
  if (largest > 0) config["sliding_window"] = largest;
  config["use_sliding_window"] = largest > 0;
}

}  // namespace sgpt::llama_layout
