#include "model/architecture.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "model/describe.h"
#include "model/family.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::int64_t kMostHidden = 1 << 20;
constexpr std::int64_t kMostLayers = 1 << 12;
constexpr std::int64_t kMostHeads = 1 << 14;
constexpr std::int64_t kMostPositions = 1 << 20;

std::string model_types() {
  std::vector<std::string_view> names;
  for (const Family* family : families()) names.push_back(family->model_type);
  return fmt::format("{}", fmt::join(names, ", "));
}

const Family* family_of(std::string_view model_type) {
  const auto all = families();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Family* family) { return family->model_type == model_type; });
  return found == all.end() ? nullptr : *found;
}

/// Models that people embed with and sgpt does not run, by what their config.json has in model_type, or in the names of
/// their classes; and why.
struct Refused {
  std::string_view mark;
  std::string_view name;
  std::string_view why;
};

constexpr Refused kRefusedTypes[] = {
    {"nvembed", "NV-Embed", "pools through a latent attention module of its own"},
    {"embedding_gemma2_text", "EmbeddingGemma 2", "has inputs of its own for each layer and two sizes of heads"},
    {"gemma", "Gemma 1", "is no base of a model for embeddings that is in use"},
    {"gemma2", "Gemma 2", "bounds the scores of its attention by a tanh"},
    {"gemma3", "Gemma 3 with images", "sees pictures; its text model alone is of the type gemma3_text"},
};

constexpr Refused kRefusedClasses[] = {
    {"NVEmbed", "NV-Embed", "pools through a latent attention module of its own"},
    {"gritlm", "GritLM", "looks both ways at some texts and writes others"},
    {"LLM2Vec", "LLM2Vec", "puts chat marks around a text and pools without its instruction"},
    {"llama_encoder", "LLM2Vec", "puts chat marks around a text and pools without its instruction"},
    {"EncoderModel", "LLM2Vec", "puts chat marks around a text and pools without its instruction"},
};

/// is_causal and use_bidirectional_attention; or the class of a model that has no key for it.
bool read_causal(const JsonFile& config) {
  const std::optional<bool> causal = config.boolean("is_causal");
  const std::optional<bool> both = config.boolean("use_bidirectional_attention");
  if (causal && both && *causal == *both) {
    config.fail("use_bidirectional_attention", fmt::format("{} beside is_causal", !*causal));
  }
  if (causal) return *causal;
  if (both) return !*both;
  const auto* classes = config.find("architectures");
  if (!classes || !classes->is_array()) return true;
  for (const auto& name : *classes) {
    if (name.is_string() && name.get_ref<const std::string&>().find("Bidirectional") != std::string::npos) return false;
  }
  return true;
}

/// Models of a family under a name of their own, whose attention looks both ways.
struct Alias {
  std::string_view model_type;
  const Family* family;
};

constexpr Alias kAliases[] = {{"llama_bidirec", &kLlama}, {"bidirectional_pplx_qwen3", &kQwen3}};

void refuse_known(const JsonFile& config, std::string_view type) {
  const auto refuse = [&](const Refused& model, std::string_view key, std::string_view found) {
    throw UserError(fmt::format("{}: {}: found {}: this is {}, which {}; sgpt does not compute that",
                                config.path().string(), key, shown(found), model.name, model.why));
  };
  for (const Refused& model : kRefusedTypes) {
    if (type == model.mark) refuse(model, "model_type", type);
  }
  for (const char* key : {"architectures", "auto_map"}) {
    const auto* classes = config.find(key);
    if (!classes || !classes->is_structured()) continue;
    for (const auto& name : *classes) {
      if (!name.is_string()) continue;
      for (const Refused& model : kRefusedClasses) {
        if (name.get_ref<const std::string&>().find(model.mark) != std::string::npos) {
          refuse(model, key, name.get_ref<const std::string&>());
        }
      }
    }
  }
}

std::string summary_of_rotary(const Rotary& r) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{}", r.theta, static_cast<int>(r.scaling), r.factor,
                     r.original_positions, r.low_freq_factor, r.high_freq_factor, r.beta_fast, r.beta_slow,
                     r.truncate ? 1 : 0, r.attention_factor);
}

/// What the families after GPT-J add.
std::string summary_of_today(const Architecture& a) {
  std::string summary = fmt::format(" head_dim={} key_heads={} scale={} theta={}", a.head_dim(), a.key_heads(),
                                    a.score_scale, summary_of_rotary(a.rotary));
  if (a.window_rotary) summary += fmt::format(" window_theta={}", summary_of_rotary(*a.window_rotary));
  return summary;
}

}  // namespace

std::span<const Family* const> families() {
  static constexpr const Family* kAll[] = {&kBloom,   &kGpt2,  &kGptNeo, &kGptJ,  &kLlama,
                                           &kMistral, &kQwen2, &kQwen3,  &kGemma3};
  return kAll;
}

Architecture read_architecture(const std::filesystem::path& config_json) {
  const JsonFile config(config_json);
  const std::string type = config.string("model_type").value_or("");
  refuse_known(config, type);
  for (const Alias& alias : kAliases) {
    if (type != alias.model_type) continue;
    Architecture architecture = alias.family->read(config);
    set_causal(architecture, false);
    return architecture;
  }
  if (const Family* family = family_of(type)) {
    Architecture architecture = family->read(config);
    set_causal(architecture, read_causal(config));
    return architecture;
  }
  throw UserError(fmt::format("{}: model_type: found {}; sgpt runs models of the types {}", config.path().string(),
                              type.empty() ? "nothing" : shown(type), model_types()));
}

Architecture make_architecture(std::string_view model_type, const Sizes& sizes) {
  const Family* family = family_of(model_type);
  if (!family)
    throw UserError(fmt::format("no family of models is called '{}'; there are {}", model_type, model_types()));
  if (sizes.hidden % sizes.heads != 0) {
    throw UserError(fmt::format("the hidden size {} cannot be divided among {} heads; choose a multiple", sizes.hidden,
                                sizes.heads));
  }
  return family->make(sizes);
}

void set_causal(Architecture& architecture, bool causal) {
  if (!causal && architecture.positions == Positions::alibi) {
    throw UserError(fmt::format(
        "the attention of {} cannot look both ways: its positions (ALiBi) are made for tokens before a token",
        architecture.family->name));
  }
  architecture.causal = causal;
}

std::string summary_of(const Architecture& a) {
  std::string summary = fmt::format("{} hidden={} layers={} heads={} vocabulary={} eps={}", a.family->model_type,
                                    a.hidden, a.layers, a.heads, a.vocabulary, a.layer_norm_eps);
  if (a.family == &kBloom) return summary;
  summary += fmt::format(" inner={} longest={} rotary={} windows={}", a.inner, a.longest_text, a.rotary_dims,
                         fmt::join(a.windows, ","));
  if (a.pairing == Pairing::halves) summary += summary_of_today(a);
  if (!a.causal) summary += " both ways";
  return summary;
}

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

Sizes read_sizes(const JsonFile& config, const SizeKeys& keys) {
  Sizes sizes;
  sizes.hidden = size_under(config, keys.hidden, kMostHidden);
  sizes.layers = size_under(config, keys.layers, kMostLayers);
  sizes.heads = size_under(config, keys.heads, kMostHeads);
  sizes.vocabulary = size_under(config, {"vocab_size"}, std::numeric_limits<std::int32_t>::max());
  if (keys.positions.size() > 0) sizes.positions = size_under(config, keys.positions, kMostPositions);
  if (keys.heads_divide && sizes.hidden % sizes.heads != 0) {
    throw UserError(fmt::format("{}: the hidden size {} cannot be divided among {} heads", config.path().string(),
                                sizes.hidden, sizes.heads));
  }
  return sizes;
}

float read_layer_norm_eps(const JsonFile& config) {
  const double eps = config.number("layer_norm_epsilon").value_or(1e-5);
  if (!(eps > 0 && eps < 1)) config.fail("layer_norm_epsilon", "a number between 0 and 1");
  return static_cast<float>(eps);
}

float read_rms_norm_eps(const JsonFile& config) {
  const double eps = config.number("rms_norm_eps").value_or(1e-6);
  if (!(eps > 0 && eps < 1)) config.fail("rms_norm_eps", "a number between 0 and 1");
  return static_cast<float>(eps);
}

std::int64_t read_inner(const JsonFile& config, std::string_view key, const Architecture& architecture) {
  return config.integer(key) ? size_under(config, {key}, 16 * kMostHidden) : 4 * architecture.hidden;
}

void require_gelu(const JsonFile& config, std::string_view key) {
  // Two names of the tanh form.
  const std::string name = config.string(key).value_or("gelu_new");
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return;
  config.fail(key, "\"gelu_new\", the only activation function that sgpt computes");
}

void require_flag(const JsonFile& config, std::string_view key, bool wanted, std::string_view why) {
  if (config.boolean(key).value_or(wanted) == wanted) return;
  config.fail(key, fmt::format("{} ({})", wanted, why));
}

double shortest(float value) { return std::stod(fmt::format("{}", value)); }

}  // namespace sgpt
