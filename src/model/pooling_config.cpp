#include "model/pooling_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "formats/json_file.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

// The old keys, one a mode, in the order of PoolingMode.
constexpr std::array<std::pair<const char*, PoolingMode>, 6> kOldKeys{
    {{"pooling_mode_cls_token", PoolingMode::cls},
     {"pooling_mode_max_tokens", PoolingMode::max},
     {"pooling_mode_mean_tokens", PoolingMode::mean},
     {"pooling_mode_mean_sqrt_len_tokens", PoolingMode::mean_sqrt_len},
     {"pooling_mode_weightedmean_tokens", PoolingMode::weightedmean},
     {"pooling_mode_lasttoken", PoolingMode::lasttoken}}};
constexpr std::string_view kNewMeanSqrtLen = "mean_sqrt_len_tokens";

std::string new_name(PoolingMode mode) {
  return std::string(mode == PoolingMode::mean_sqrt_len ? kNewMeanSqrtLen : name_of(mode));
}

void add_new_mode(const JsonFile& config, const nlohmann::json& name, std::vector<PoolingMode>& modes) {
  std::optional<PoolingMode> mode;
  if (name.is_string()) {
    const std::string& text = name.get_ref<const std::string&>();
    mode = text == kNewMeanSqrtLen ? PoolingMode::mean_sqrt_len : pooling_mode_from(text);
  }
  if (!mode) {
    config.fail("pooling_mode", "cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken, or a list of these");
  }
  if (std::find(modes.begin(), modes.end(), *mode) != modes.end()) config.fail("pooling_mode", "each mode once");
  modes.push_back(*mode);
}

std::vector<PoolingMode> read_modes(const JsonFile& config) {
  std::vector<PoolingMode> modes;
  if (const auto* value = config.find("pooling_mode")) {
    if (value->is_array()) {
      for (const auto& name : *value) add_new_mode(config, name, modes);
    } else {
      add_new_mode(config, *value, modes);
    }
    if (modes.empty()) config.fail("pooling_mode", "at least one mode");
    return modes;
  }
  for (const auto& [key, value] : config.root().items()) {
    const bool known = std::any_of(kOldKeys.begin(), kOldKeys.end(), [&k = key](auto& old) { return k == old.first; });
    if (!known && key.starts_with("pooling_mode") && !(value.is_boolean() && !value.get<bool>())) {
      config.fail(key, "no such pooling mode (sgpt does not know it)");
    }
  }
  bool named = false;
  for (const auto& [key, mode] : kOldKeys) {
    const std::optional<bool> on = config.boolean(key);
    named = named || on;
    if (on.value_or(false)) modes.push_back(mode);
  }
  if (modes.empty() && named) {
    throw UserError(
        fmt::format("{}: every pooling mode is off; expected at least one that is true", config.path().string()));
  }
  if (modes.empty()) modes.push_back(PoolingMode::mean);  // the default of every version
  return modes;
}

}  // namespace

PoolingConfig read_pooling_config(const std::filesystem::path& path, std::int64_t hidden) {
  const JsonFile config(path);
  for (const char* key : {"word_embedding_dimension", "embedding_dimension"}) {
    const std::optional<std::int64_t> dimension = config.integer(key);
    if (dimension && *dimension != hidden) config.fail(key, fmt::format("{}, the model's hidden size", hidden));
  }
  return {read_modes(config), config.boolean("include_prompt").value_or(true)};
}

std::string pooling_config(std::span<const PoolingMode> modes, std::int64_t hidden, bool include_prompt) {
  nlohmann::ordered_json config;
  if (!std::is_sorted(modes.begin(), modes.end())) {
    config["embedding_dimension"] = hidden;
    for (const PoolingMode mode : modes) config["pooling_mode"].push_back(new_name(mode));
    if (!include_prompt) config["include_prompt"] = false;
    return config.dump(2) + "\n";
  }
  const auto on = [&](PoolingMode mode) { return std::find(modes.begin(), modes.end(), mode) != modes.end(); };
  const bool late = on(PoolingMode::weightedmean) || on(PoolingMode::lasttoken);
  config["word_embedding_dimension"] = hidden;
  for (const auto& [key, mode] : kOldKeys) {
    // Versions before 2.3 refuse the two youngest keys, so these stand only where they are needed.
    if (mode < PoolingMode::weightedmean || late) config[key] = on(mode);
  }
  if (!include_prompt) config["include_prompt"] = false;
  return config.dump(2) + "\n";
}

}  // namespace sgpt
