#include "model/architecture.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

}  // namespace

std::span<const Family* const> families() {
  static constexpr const Family* kAll[] = {&kBloom, &kGpt2, &kGptNeo, &kGptJ};
  return kAll;
}

Architecture read_architecture(const std::filesystem::path& config_json) {
  const JsonFile config(config_json);
  const std::string type = config.string("model_type").value_or("");
  if (const Family* family = family_of(type)) return family->read(config);
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

std::string summary_of(const Architecture& a) {
  std::string summary = fmt::format("{} hidden={} layers={} heads={} vocabulary={} eps={}", a.family->model_type,
                                    a.hidden, a.layers, a.heads, a.vocabulary, a.layer_norm_eps);
  if (a.family == &kBloom) return summary;
  return summary + fmt::format(" inner={} longest={} rotary={} windows={}", a.inner, a.longest_text, a.rotary_dims,
                               fmt::join(a.windows, ","));
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
  if (sizes.hidden % sizes.heads != 0) {
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
