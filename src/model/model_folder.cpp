#include "model/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/log.h"
#include "model/describe.h"
#include "model/json_file.h"
#include "model/pooling_config.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDefaultLength = 300;
constexpr std::int64_t kLongestLength = 1'000'000;  // a model_max_length beyond it says "no limit"
constexpr std::int64_t kOurVersion = 1;             // of sgpt_config.json

/// A module's folder, which must lie inside the model's.
fs::path module_path(const fs::path& folder, const fs::path& modules_json, const std::string& path) {
  const fs::path relative = fs::path(path).lexically_normal();
  if (relative.is_absolute() || (!relative.empty() && *relative.begin() == "..") ||
      path.find('\0') != std::string::npos) {
    throw UserError(
        fmt::format("{}: path: expected a folder inside the model's, found {}", modules_json.string(), shown(path)));
  }
  return relative.empty() || relative == "." ? folder : folder / relative;
}

struct Module {
  std::string type;  // the class alone: Transformer, Pooling, Normalize
  fs::path path;
};

std::string string_of(const nlohmann::json& module, const char* key, const fs::path& modules_json) {
  const auto found = module.is_object() ? module.find(key) : module.end();
  if (!module.is_object() || found == module.end() || !found->is_string()) {
    throw UserError(fmt::format("{}: every module needs a string under {}", modules_json.string(), key));
  }
  return found->get<std::string>();
}

std::vector<Module> read_modules(const fs::path& folder, const fs::path& modules_json) {
  const auto list = read_json(modules_json);
  if (!list->is_array()) throw UserError(fmt::format("{}: expected a list of modules", modules_json.string()));
  std::vector<Module> modules;
  for (const auto& entry : *list) {
    const std::string type = string_of(entry, "type", modules_json);
    const std::string name = type.substr(type.rfind('.') + 1);  // versions differ in what stands before
    const bool known = name == "Transformer" || name == "Pooling" || name == "Normalize";
    if (!known || !type.starts_with("sentence_transformers.")) {
      throw UserError(fmt::format("{}: the module {} is not supported; sgpt knows Transformer, Pooling and Normalize",
                                  modules_json.string(), shown(type)));
    }
    modules.push_back({name, module_path(folder, modules_json, string_of(entry, "path", modules_json))});
  }
  const bool order = (modules.size() == 2 || modules.size() == 3) && modules[0].type == "Transformer" &&
                     modules[1].type == "Pooling" && (modules.size() == 2 || modules[2].type == "Normalize");
  if (!order) {
    throw UserError(fmt::format("{}: expected the modules Transformer, Pooling and perhaps Normalize, in this order",
                                modules_json.string()));
  }
  return modules;
}

void read_length(ModelFolder& model) {
  const std::optional<JsonFile> transformer =
      model.has_modules ? JsonFile::if_present(model.transformer / "sentence_bert_config.json") : std::nullopt;
  if (transformer) {
    model.lower_case = transformer->boolean("do_lower_case").value_or(false);
    if (const auto length = transformer->integer("max_seq_length")) {
      if (*length < 1 || *length > kLongestLength) {
        transformer->fail("max_seq_length", fmt::format("a number from 1 to {}", kLongestLength));
      }
      model.max_seq_length = *length;
      return;
    }
  }
  const std::optional<JsonFile> tokenizer = JsonFile::if_present(model.transformer / "tokenizer_config.json");
  if (!tokenizer) return;
  const std::optional<double> length = tokenizer->number("model_max_length");
  if (!length || *length > static_cast<double>(kLongestLength)) return;  // 1e30 stands for "no limit"
  if (!(*length >= 1)) tokenizer->fail("model_max_length", "a number from 1 on");
  model.max_seq_length = static_cast<std::int64_t>(*length);
}

/// A default prompt changes every embedding, so it is refused; others are used only by those who ask for them by name.
void check_prompts(const fs::path& path) {
  const std::optional<JsonFile> config = JsonFile::if_present(path);
  if (!config) return;
  const std::optional<std::string> by_default = config->string("default_prompt_name");
  const auto* prompts = config->find("prompts");
  if (prompts && !prompts->is_object()) config->fail("prompts", "an object {name: prompt}");
  std::string others;
  if (prompts) {
    for (const auto& [name, prompt] : prompts->items()) {
      if (prompt.is_null() || (prompt.is_string() && prompt.get_ref<const std::string&>().empty())) continue;
      if (by_default == name) {
        config->fail(
            "default_prompt_name",
            fmt::format("none: sgpt puts no prompt before a text, and without {} the embeddings would differ; set "
                        "it to null and write the prompt into the texts",
                        shown_json(prompt)));
      }
      others += (others.empty() ? "" : ", ") + shown(name);
    }
  }
  if (!others.empty()) log::info(fmt::format("{}: the prompts {} are not applied", path.string(), others));
  const std::string similarity = config->string("similarity_fn_name").value_or("cosine");
  if (similarity != "cosine") {
    log::info(fmt::format("{}: similarity_fn_name is {}; sgpt compares by cosine", path.string(), shown(similarity)));
  }
}

/// The names under which SGPT BLOOM models with special brackets were published.
bool published_with_brackets(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool specb = name.starts_with("sgpt-") && name.find("-msmarco-specb") != std::string::npos;
  return specb || (name.starts_with("sgpt-bloom-") && name.ends_with("-msmarco"));
}

std::optional<bool> read_brackets(const ModelFolder& model) {
  if (const auto ours = JsonFile::if_present(model.path / "sgpt_config.json")) {
    if (const auto version = ours->integer("version"); version && *version != kOurVersion) {
      ours->fail("version", fmt::format("{} (a later sgpt wrote this file)", kOurVersion));
    }
    return ours->boolean("brackets");
  }
  const JsonFile config(model.transformer / "config.json");
  const auto* origin = config.find("_name_or_path");
  const std::string from =
      origin && origin->is_string() ? fs::path(origin->get<std::string>()).filename().string() : "";
  if (published_with_brackets(model.name) || published_with_brackets(from)) return true;
  return std::nullopt;
}

/// The last part of the path; in the cache of the Hugging Face hub, the model's own name.
std::string name_of_folder(const fs::path& path) {
  std::error_code none;
  fs::path whole = fs::absolute(path, none).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();  // "model/"
  const std::string repository = whole.parent_path().parent_path().filename().string();
  if (whole.parent_path().filename() == "snapshots" && repository.starts_with("models--")) {
    return repository.substr(repository.rfind("--") + 2);
  }
  return whole.filename().string();
}

}  // namespace

ModelFolder read_model_folder(const fs::path& path) {
  std::error_code none;
  if (!fs::is_directory(path, none)) {
    throw UserError(fmt::format("{}: {}; expected a model folder", path.string(),
                                fs::exists(path, none) ? "is no folder" : "no such folder"));
  }
  if (!fs::exists(path / "modules.json", none) && !fs::exists(path / "config.json", none)) {
    throw UserError(
        fmt::format("{}: not a model folder: neither modules.json nor config.json is in it", path.string()));
  }
  ModelFolder model;
  model.path = path;
  model.transformer = path;
  model.max_seq_length = kDefaultLength;
  model.name = name_of_folder(path);
  const fs::path modules_json = path / "modules.json";
  model.has_modules = fs::exists(modules_json, none);
  if (model.has_modules) {
    const std::vector<Module> modules = read_modules(path, modules_json);
    model.transformer = modules[0].path;
    model.config = read_bloom_config(model.transformer / "config.json");
    model.pooling = read_pooling_config(modules[1].path / "config.json", model.config.hidden);
    model.normalize = modules.size() == 3;
    check_prompts(path / "config_sentence_transformers.json");
  } else {
    model.config = read_bloom_config(path / "config.json");
    model.pooling = {PoolingMode::weightedmean};
  }
  read_length(model);
  model.brackets = read_brackets(model);
  return model;
}

}  // namespace sgpt
