// Rotary positions as config.json has them: rope_parameters, or the older rope_theta and rope_scaling.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "formats/shown.h"
#include "model/families/llama_layout.h"
#include "sgpt/error.h"

namespace sgpt::llama_layout {
namespace {

/// An object of numbers within config.json, and where it stands.
class Values {
 public:
  Values(const JsonFile& config, std::string name, const nlohmann::json& object)
      : config_(config), name_(std::move(name)), object_(object) {}

  [[noreturn]] void fail(std::string_view key, std::string_view expected, const std::string& found) const {
    throw UserError(
        fmt::format("{}: {}: {}: expected {}, found {}", config_.path().string(), name_, key, expected, found));
  }
  std::optional<double> number(std::string_view key) const {
    const auto found = object_.find(key);
    if (found == object_.end() || found->is_null()) return std::nullopt;
    if (!found->is_number() || !std::isfinite(found->get<double>())) fail(key, "a number", shown_json(*found));
    return found->get<double>();
  }
  double positive(std::string_view key, std::optional<double> missing = std::nullopt) const {
    const std::optional<double> value = number(key).has_value() ? number(key) : missing;
    if (!value) fail(key, "a number above 0", "nothing");
    if (!(*value > 0)) fail(key, "a number above 0", fmt::format("{}", *value));
    return *value;
  }
  bool boolean(std::string_view key, bool missing) const {
    const auto found = object_.find(key);
    if (found == object_.end() || found->is_null()) return missing;
    if (!found->is_boolean()) fail(key, "true or false", shown_json(*found));
    return found->get<bool>();
  }
  /// rope_type, or type in older files.
  std::string type() const {
    for (const char* key : {"rope_type", "type"}) {
      const auto found = object_.find(key);
      if (found == object_.end() || found->is_null()) continue;
      if (!found->is_string()) fail(key, "a name", shown_json(*found));
      return found->get<std::string>();
    }
    return "default";
  }

 private:
  const JsonFile& config_;
  std::string name_;
  const nlohmann::json& object_;
};

/// What yarn multiplies cosines and sines with.
double yarn_attention_factor(const Values& values, double factor) {
  if (const auto given = values.number("attention_factor")) return *given;
  const auto grown = [&](double scale) { return factor > 1 ? 0.1 * scale * std::log(factor) + 1 : 1.0; };
  const double mscale = values.number("mscale").value_or(0), all = values.number("mscale_all_dim").value_or(0);
  return mscale != 0 && all != 0 ? grown(mscale) / grown(all) : grown(1);
}

void read_scaling(const JsonFile& config, const Values& values, Rotary& rotary) {
  if (values.number("partial_rotary_factor").value_or(1) != 1) {
    values.fail("partial_rotary_factor", "1, whole heads being turned by their positions",
                fmt::format("{}", *values.number("partial_rotary_factor")));
  }
  const std::string type = values.type();
  if (type == "default") return;
  if (type == "linear") {
    rotary.scaling = RotaryScaling::linear;
  } else if (type == "llama3") {
    rotary.scaling = RotaryScaling::llama3;
  } else if (type == "yarn") {
    rotary.scaling = RotaryScaling::yarn;
  } else {
    const bool by_length = type == "dynamic" || type == "longrope" || type == "su";
    values.fail("rope_type",
                by_length
                    ? "\"default\", \"linear\", \"llama3\" or \"yarn\": by others a text's positions depend on its "
                      "length, which sgpt does not compute"
                    : "\"default\", \"linear\", \"llama3\" or \"yarn\"",
                shown(type));
  }
  rotary.factor = values.positive("factor");
  if (rotary.scaling == RotaryScaling::linear) return;
  const std::optional<double> positions = config.number("original_max_position_embeddings");
  rotary.original_positions = values.positive("original_max_position_embeddings",
                                              positions ? positions : config.number("max_position_embeddings"));
  if (rotary.scaling == RotaryScaling::llama3) {
    rotary.low_freq_factor = values.positive("low_freq_factor");
    rotary.high_freq_factor = values.positive("high_freq_factor");
    if (rotary.high_freq_factor <= rotary.low_freq_factor) {
      values.fail("high_freq_factor", "a number above low_freq_factor", fmt::format("{}", rotary.high_freq_factor));
    }
    return;
  }
  rotary.beta_fast = values.positive("beta_fast", rotary.beta_fast);
  rotary.beta_slow = values.positive("beta_slow", rotary.beta_slow);
  rotary.truncate = values.boolean("truncate", rotary.truncate);
  rotary.attention_factor = yarn_attention_factor(values, rotary.factor);
}

const char* name_of(RotaryScaling scaling) {
  switch (scaling) {
    case RotaryScaling::linear: return "linear";
    case RotaryScaling::llama3: return "llama3";
    case RotaryScaling::yarn: return "yarn";
    case RotaryScaling::none: break;
  }
  return "default";
}

}  // namespace

Rotary read_rotary(const JsonFile& config, std::string_view key) {
  static constexpr const char* kNew = "rope_parameters";
  static constexpr const char* kOld = "rope_scaling";
  static const nlohmann::json none = nlohmann::json::object();
  if (config.number("partial_rotary_factor").value_or(1) != 1) {
    config.fail("partial_rotary_factor", "1, whole heads being turned by their positions");
  }
  const auto object = [&](const char* name) -> const nlohmann::json* {
    const auto* found = config.find(name);
    if (!found || found->is_null()) return nullptr;
    if (!found->is_object()) config.fail(name, "an object");
    return found;
  };
  Rotary rotary;
  const nlohmann::json* values = object(kNew);
  std::string name = kNew;
  if (values && !key.empty()) {
    const auto within = values->find(key);
    if (within == values->end() || !within->is_object()) {
      config.fail(kNew, fmt::format("an object {} in it", shown(key)));
    }
    values = &*within;
    name += fmt::format(": {}", key);
  }
  if (!values) values = object(kOld), name = kOld;
  const Values read(config, name, values ? *values : none);
  rotary.theta = read.positive("rope_theta", config.number("rope_theta").value_or(rotary.theta));
  if (rotary.theta <= 1) read.fail("rope_theta", "a number above 1", fmt::format("{}", rotary.theta));
  read_scaling(config, read, rotary);
  return rotary;
}

nlohmann::ordered_json rotary_json(const Rotary& rotary) {
  nlohmann::ordered_json json{{"rope_type", name_of(rotary.scaling)}, {"rope_theta", rotary.theta}};
  if (rotary.scaling == RotaryScaling::none) return json;
  json["factor"] = rotary.factor;
  if (rotary.scaling == RotaryScaling::linear) return json;
  json["original_max_position_embeddings"] = rotary.original_positions;
  if (rotary.scaling == RotaryScaling::llama3) {
    json["low_freq_factor"] = rotary.low_freq_factor;
    json["high_freq_factor"] = rotary.high_freq_factor;
    return json;
  }
  json["beta_fast"] = rotary.beta_fast;
  json["beta_slow"] = rotary.beta_slow;
  json["truncate"] = rotary.truncate;
  json["attention_factor"] = rotary.attention_factor;
  return json;
}

}  // namespace sgpt::llama_layout
