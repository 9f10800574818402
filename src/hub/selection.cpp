#include "hub/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/filesystem.h"
#include "hub/names.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

// The first that a folder has is taken.
constexpr std::array<std::string_view, 4> kWeights = {"model.safetensors", "model.safetensors.index.json",
                                                      "pytorch_model.bin", "pytorch_model.bin.index.json"};
constexpr std::array<std::string_view, 9> kRootFiles = {"config.json",
                                                        "tokenizer.json",
                                                        "tokenizer_config.json",
                                                        "special_tokens_map.json",
                                                        "modules.json",
                                                        "sentence_bert_config.json",
                                                        "config_sentence_transformers.json",
                                                        "sgpt_config.json",
                                                        "README.md"};
constexpr std::array<std::string_view, 5> kModuleFiles = {"config.json", "tokenizer.json", "tokenizer_config.json",
                                                          "special_tokens_map.json", "sentence_bert_config.json"};

template <std::size_t kSize>
bool contains(const std::array<std::string_view, kSize>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_index(std::string_view file) { return file.ends_with(".index.json"); }

/// "0_Transformer", "1_Pooling": how sentence-transformers calls the folder of a module.
bool is_module_folder(std::string_view folder) {
  const std::size_t digits = folder.find_first_not_of("0123456789");
  return digits != folder.npos && digits > 0 && folder[digits] == '_' && folder.find('/') == folder.npos;
}

std::string joined(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name);
}

std::string folder_of(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  return slash == file.npos ? "" : file.substr(0, slash);
}

/// Null when the file is missing or broken: its reader will say so.
nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return nullptr;
  nlohmann::json value = nlohmann::json::parse(file, nullptr, false);
  return value.is_discarded() ? nlohmann::json() : value;
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::string> missing_weights(const std::filesystem::path& snapshot, const std::string& folder) {
  std::string missing = joined(folder, kWeights[0]);
  for (const auto name : kWeights) {
    const std::string file = joined(folder, name);
    if (!files::exists(snapshot / file)) continue;
    if (!is_index(file)) return std::nullopt;
    const auto shards = shards_of(snapshot, file);
    const auto absent =
        std::find_if(shards.begin(), shards.end(), [&](const auto& shard) { return !files::exists(snapshot / shard); });
    if (absent == shards.end()) return std::nullopt;
    missing = *absent;
  }
  return missing;
}

}  // namespace

Selection select_files(const std::string& model, const std::vector<std::string>& listing) {
  Selection selection;
  std::set<std::string> folders = {""};
  for (const auto& file : listing) {
    if (!is_safe_path(file)) {
      throw UserError(
          fmt::format("{}: the hub lists a file '{}', a name that leads out of the model's folder; nothing "
                      "was downloaded",
                      model, printable(file)));
    }
    const std::string folder = folder_of(file);
    const std::string_view name = std::string_view(file).substr(folder.empty() ? 0 : folder.size() + 1);
    if (is_module_folder(folder)) folders.insert(folder);
    if (folder.empty() ? contains(kRootFiles, name) : is_module_folder(folder) && contains(kModuleFiles, name)) {
      selection.files.push_back(file);
    }
  }
  const auto has_any = [&](std::string_view name) {
    return std::any_of(selection.files.begin(), selection.files.end(),
                       [&](const auto& file) { return file == name || file.ends_with(fmt::format("/{}", name)); });
  };
  for (const std::string_view needed : {"config.json", "tokenizer.json"}) {
    if (!has_any(needed)) {
      throw UserError(fmt::format("{}: the hub lists no {} for it, which sgpt needs", model, needed));
    }
  }
  const std::set<std::string> listed(listing.begin(), listing.end());
  bool has_weights = false;
  for (const auto& folder : folders) {
    for (const auto name : kWeights) {
      const std::string file = joined(folder, name);
      if (!listed.contains(file)) continue;
      (is_index(file) ? selection.indexes : selection.files).push_back(file);
      has_weights = true;
      break;
    }
  }
  if (!has_weights) {
    throw UserError(
        fmt::format("{}: the hub lists no weights for it that sgpt reads (model.safetensors or "
                    "pytorch_model.bin, or the .index.json of either)",
                    model));
  }
  selection.files.insert(selection.files.end(), selection.indexes.begin(), selection.indexes.end());
  return selection;
}

std::vector<std::string> shards_of(const std::filesystem::path& snapshot, const std::string& index) {
  const auto path = snapshot / index;
  const nlohmann::json json = read_json(path);
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (map == json.end() || !map->is_object()) {
    throw UserError(
        fmt::format("{}: has no \"weight_map\"; expected {{\"weight_map\": {{TENSOR: FILE}}}}", path.string()));
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !is_safe_path(file.get_ref<const std::string&>())) {
      throw UserError(
          fmt::format("{}: tensor '{}' is said to be in {}, which is no name of a file in the model's folder",
                      path.string(), printable(tensor), printable(file.dump())));
    }
    names.insert(joined(folder_of(index), file.get<std::string>()));
  }
  return {names.begin(), names.end()};
}

std::optional<std::string> missing_file(const std::filesystem::path& snapshot) {
  std::string transformer;
  std::vector<std::string> needed;
  if (const nlohmann::json modules = read_json(snapshot / "modules.json"); modules.is_array()) {
    for (const auto& module : modules) {
      const std::string folder = text_of(module, "path");
      const std::string type = text_of(module, "type");
      if (!folder.empty() && !is_safe_path(folder)) continue;  // its reader will refuse it
      if (type.ends_with(".Transformer")) transformer = folder;
      if (type.ends_with(".Pooling")) needed.push_back(joined(folder, "config.json"));
    }
  }
  needed.push_back(joined(transformer, "config.json"));
  needed.push_back(joined(transformer, "tokenizer.json"));
  for (const auto& file : needed) {
    if (!files::exists(snapshot / file)) return file;
  }
  return missing_weights(snapshot, transformer);
}

}  // namespace sgpt
