#include "model/lora_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/hub_path.h"
#include "base/mapped_file.h"
#include "formats/json_file.h"
#include "formats/model_files.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using Ordered = nlohmann::ordered_json;

/// A key that must be null, false, "none" or empty, and what it would do else.
struct Refused {
  std::string_view key;
  std::string_view what;
};

constexpr std::array<Refused, 18> kRefused{{
    {"use_dora", "DoRA, which scales each row of the sum"},
    {"bias", "biases that the adapter changes"},
    {"lora_bias", "biases of the small matrices"},
    {"fan_in_fan_out", "matrices that lie the other way"},
    {"modules_to_save", "modules that the adapter replaces"},
    {"trainable_token_indices", "single rows of the embedding"},
    {"layer_replication", "layers that stand several times"},
    {"target_parameters", "parameters that are no matrices of a Linear"},
    {"alora_invocation_tokens", "an adapter that begins within a text"},
    {"use_bdlora", "block-diagonal matrices"},
    {"use_qalora", "matrices over groups of inputs"},
    {"kasa_config", "KaSA"},
    {"arrow_config", "a router of several adapters"},
    {"monteclora_config", "MonteCLoRA"},
    {"velora_config", "VeLoRA"},
    {"lora_ga_config", "a start that changes the base model"},
    {"corda_config", "a start that changes the base model"},
    {"loftq_config", "a start that changes the base model"},
}};

/// Of init_lora_weights: those that leave the base model as it is. (true and false are others.)
constexpr std::array<std::string_view, 3> kHarmlessStarts{"gaussian", "orthogonal", "eva"};

bool asks_for_nothing(const nlohmann::json& value) {
  if (value.is_null() || ((value.is_array() || value.is_object()) && value.empty())) return true;
  if (value.is_boolean()) return !value.get<bool>();
  const auto* words = value.get_ptr<const std::string*>();
  return words && (words->empty() || *words == "none");
}

void refuse_what_is_not_done(const JsonFile& config) {
  if (const auto type = config.string("peft_type"); type && *type != "LORA") {
    config.fail("peft_type", "\"LORA\", the one kind of adapter that sgpt reads");
  }
  for (const auto& [key, what] : kRefused) {
    const auto* value = config.find(key);
    if (!value || asks_for_nothing(*value)) continue;
    throw UserError(fmt::format(
        "{}: {}: {}: sgpt does not compute {}; merge the adapter in Python (merge_and_unload) and take that model",
        config.path().string(), key, shown_json(*value), what));
  }
  const auto* start = config.find("init_lora_weights");
  if (!start || !start->is_string()) return;
  const auto& name = start->get_ref<const std::string&>();
  if (std::find(kHarmlessStarts.begin(), kHarmlessStarts.end(), name) != kHarmlessStarts.end()) return;
  throw UserError(
      fmt::format("{}: init_lora_weights: {}: such a start changes the base model's weights, which sgpt does "
                  "not do; merge the adapter in Python (merge_and_unload) and take that model",
                  config.path().string(), shown_json(*start)));
}

/// An integer where it is one, as people write it.
Ordered number(double value) {
  constexpr double kExact = 1e15;
  if (std::abs(value) < kExact && value == std::floor(value)) return static_cast<std::int64_t>(value);
  return value;
}

std::string_view last_part(std::string_view module) { return module.substr(module.rfind('.') + 1); }

/// Ends of names where these mean the adapted modules and no others, else whole names.
std::vector<std::string> targets_of(const Lora& lora, const Architecture& architecture) {
  std::map<std::string, std::int64_t> there, adapted;
  for (const ParameterInfo& info : decoder_parameters(architecture)) {
    constexpr std::size_t kWeight = 7;  // ".weight"
    if (info.kind != ParameterKind::matrix) continue;
    ++there[std::string(last_part(std::string_view(info.name).substr(0, info.name.size() - kWeight)))];
  }
  for (const LoraModule& module : lora.modules) ++adapted[std::string(last_part(module.module))];
  std::vector<std::string> targets;
  for (const auto& [name, count] : adapted) {
    if (there[name] == count) targets.push_back(name);
  }
  if (targets.size() == adapted.size()) return targets;
  targets.clear();
  for (const LoraModule& module : lora.modules) targets.push_back(module.module);
  return targets;
}

}  // namespace

double LoraConfig::alpha_of(std::string_view module) const {
  for (const auto& [pattern, own] : alpha_pattern) {
    if (ends_with_pattern(module, pattern, fmt::format("{}: alpha_pattern", file.string()))) return own;
  }
  return alpha;
}

LoraConfig read_lora_config(const fs::path& adapter) {
  LoraConfig result;
  result.file = adapter / kAdapterFile;
  if (!present(result.file)) {
    throw UserError(
        fmt::format("{}: no adapter: there is no {} in it, as PEFT writes one", adapter.string(), kAdapterFile));
  }
  const JsonFile config(result.file);
  refuse_what_is_not_done(config);
  result.base = config.string("base_model_name_or_path").value_or("");
  result.alpha = config.number("lora_alpha").value_or(result.alpha);
  result.dropout = config.number("lora_dropout").value_or(0);
  result.rank_stabilised = config.boolean("use_rslora").value_or(false);
  if (const auto* patterns = config.find("alpha_pattern"); patterns && !asks_for_nothing(*patterns)) {
    if (!patterns->is_object()) config.fail("alpha_pattern", "an object {pattern: number}");
    const auto ordered = Ordered::parse(MappedFile(result.file).text());
    for (const auto& [pattern, value] : ordered.at("alpha_pattern").items()) {
      if (!value.is_number()) config.fail("alpha_pattern", "an object {pattern: number}");
      result.alpha_pattern.emplace_back(pattern, value.get<double>());
    }
  }
  if (!std::isfinite(result.alpha)) config.fail("lora_alpha", "a number");
  return result;
}

bool is_adapter_folder(const fs::path& folder) {
  return present(folder / kAdapterFile) && std::none_of(kWeightFiles.begin(), kWeightFiles.end(),
                                                        [&](const auto name) { return present(folder / name); });
}

std::optional<fs::path> local_base(const fs::path& adapter) {
  const std::string base = read_lora_config(adapter).base;
  if (base.empty()) return std::nullopt;
  std::error_code none;
  for (const fs::path& place : {fs::path(base), adapter / base}) {
    if (fs::is_directory(place, none) && !fs::equivalent(place, adapter, none)) return place;
  }
  return std::nullopt;
}

std::string lora_config_json(const Lora& lora, const Architecture& architecture, const std::string& base) {
  const LoraModule& first = lora.modules.front();
  Ordered ranks = Ordered::object(), alphas = Ordered::object();
  for (const LoraModule& module : lora.modules) {
    if (module.rank != first.rank) ranks[module.module] = module.rank;
    if (module.alpha != first.alpha) alphas[module.module] = number(module.alpha);
  }
  const Ordered config{{"alpha_pattern", alphas},
                       {"base_model_name_or_path", base},
                       {"bias", "none"},
                       {"fan_in_fan_out", false},
                       {"inference_mode", true},
                       {"init_lora_weights", true},
                       {"lora_alpha", number(first.alpha)},
                       {"lora_dropout", 0.0},
                       {"modules_to_save", nullptr},
                       {"peft_type", "LORA"},
                       {"r", first.rank},
                       {"rank_pattern", ranks},
                       {"revision", nullptr},
                       {"target_modules", targets_of(lora, architecture)},
                       {"task_type", "FEATURE_EXTRACTION"},
                       {"use_dora", false},
                       {"use_rslora", lora.rank_stabilised}};
  return config.dump(2, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

}  // namespace sgpt
