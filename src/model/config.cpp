#include "model/config.h"

#include <fmt/format.h>

#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "formats/json_file.h"
#include "model/describe.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// The value that stands under one of several spellings; they must agree where several are there.
std::int64_t size_under(const JsonFile& config, std::initializer_list<std::string_view> spellings,
                        std::int64_t largest) {
  std::optional<std::int64_t> size;
  for (const std::string_view key : spellings) {
    const std::optional<std::int64_t> value = config.integer(key);
    if (!value) continue;
    if (*value < 1 || *value > largest) config.fail(key, fmt::format("a number from 1 to {}", largest));
    if (size && *size != *value) config.fail(key, fmt::format("{} as under {}", *size, *spellings.begin()));
    size = value;
  }
  if (!size) config.fail(*spellings.begin(), fmt::format("a number from 1 to {}", largest));
  return *size;
}

void require_bloom(const JsonFile& config) {
  const std::string type = config.string("model_type").value_or("");
  if (type == "bloom") return;
  throw UserError(fmt::format("{}: model_type: expected \"bloom\", found {}; sgpt runs BLOOM models only",
                              config.path().string(), type.empty() ? "nothing" : shown(type)));
}

}  // namespace

BloomConfig read_bloom_config(const std::filesystem::path& config_json) {
  const JsonFile file(config_json);
  require_bloom(file);
  BloomConfig config;
  config.hidden = size_under(file, {"hidden_size", "n_embed"}, 1 << 20);
  config.layers = size_under(file, {"n_layer", "num_hidden_layers"}, 1 << 12);
  config.heads = size_under(file, {"n_head", "num_attention_heads"}, 1 << 14);
  config.vocabulary = size_under(file, {"vocab_size"}, std::numeric_limits<std::int32_t>::max());
  if (config.hidden % config.heads != 0) {
    throw UserError(fmt::format("{}: the hidden size {} cannot be divided among {} heads", config_json.string(),
                                config.hidden, config.heads));
  }
  const double eps = file.number("layer_norm_epsilon").value_or(1e-5);
  if (!(eps > 0 && eps < 1)) file.fail("layer_norm_epsilon", "a number between 0 and 1");
  config.layer_norm_eps = static_cast<float>(eps);
  if (file.boolean("apply_residual_connection_post_layernorm").value_or(false)) {
    file.fail("apply_residual_connection_post_layernorm",
              "false (no released BLOOM has the residual connection behind the LayerNorm, and sgpt does not run one)");
  }
  if (const auto inner = file.integer("n_inner"); inner && *inner != 4 * config.hidden) {
    file.fail("n_inner", fmt::format("four times the hidden size, {}", 4 * config.hidden));
  }
  return config;
}

}  // namespace sgpt
