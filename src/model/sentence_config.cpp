#include "model/sentence_config.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "formats/json_file.h"
#include "formats/shown.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::array<std::string_view, 5> kKeys{"__version__", "prompts", "default_prompt_name", "similarity_fn_name",
                                                "model_type"};

Prompts read_prompts(const JsonFile& config) {
  Prompts prompts;
  const auto* named = config.find("prompts");
  if (named && !named->is_object()) config.fail("prompts", "an object {name: prompt}");
  if (named) {
    for (const auto& [name, prompt] : named->items()) {
      if (!prompt.is_string() && !prompt.is_null()) {
        throw UserError(fmt::format("{}: prompts: {}: expected a string, found {}", config.path().string(), shown(name),
                                    shown_json(prompt)));
      }
      prompts.by_name.emplace(name, prompt.is_null() ? std::string() : prompt.get<std::string>());
    }
  }
  prompts.default_name = config.string("default_prompt_name");
  if (prompts.default_name && !prompts.find(*prompts.default_name)) {
    config.fail("default_prompt_name", "the name of one of the prompts");
  }
  return prompts;
}

}  // namespace

const std::string* Prompts::find(std::string_view name) const {
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : &found->second;
}

std::vector<std::string> Prompts::names() const {
  std::vector<std::string> result;
  for (const auto& [name, prompt] : by_name) {
    if (!prompt.empty()) result.push_back(name);
  }
  return result;
}

SentenceConfig read_sentence_config(const std::filesystem::path& path) {
  SentenceConfig result;
  const std::optional<JsonFile> config = JsonFile::if_present(path);
  if (!config) return result;
  result.prompts = read_prompts(*config);
  if (const auto name = config->string("similarity_fn_name")) {
    const auto similarity = similarity_from(*name);
    if (!similarity) config->fail("similarity_fn_name", "cosine, dot, euclidean or manhattan");
    result.similarity = *similarity;
  }
  for (const auto& [key, value] : config->root().items()) {
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) result.unknown_keys.push_back(key);
  }
  return result;
}

std::string sentence_config(const Prompts& prompts, Similarity similarity) {
  nlohmann::ordered_json config{{"__version__", {{"sentence_transformers", "2.2.2"}}},
                                {"prompts", nlohmann::ordered_json::object()},
                                {"default_prompt_name", nullptr},
                                {"similarity_fn_name", name_of(similarity)}};
  for (const auto& [name, prompt] : prompts.by_name) config["prompts"][name] = prompt;
  if (prompts.default_name) config["default_prompt_name"] = *prompts.default_name;
  return config.dump(2) + "\n";
}

}  // namespace sgpt
