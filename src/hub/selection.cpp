#include "hub/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "base/filesystem.h"
#include "base/hub_path.h"
#include "formats/model_files.h"
#include "hub/names.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::string_view kCard = "README.md";

template <std::size_t kSize>
bool contains(const std::array<std::string_view, kSize>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Whether a file of the model's own folder (`root`) or of a module's is read, or shown to people.
bool is_read(std::string_view name, bool root) {
  return name == kConfigFile || contains(kTransformerFiles, name) ||
         (root && (contains(kModelFiles, name) || name == kCard));
}

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

/// An adapter's own files; its base model is another one of the hub.
void add_adapter(const std::string& model, const std::set<std::string>& listed, Selection& selection) {
  const auto add = [&](std::string_view name, std::vector<std::string>& files) {
    const bool is_there = listed.contains(std::string(name));
    if (is_there) files.emplace_back(name);
    return is_there;
  };
  add(kAdapterFile, selection.files);
  for (const auto name : kTokenizerFiles) add(name, selection.files);
  for (const auto name : kOlderTokenizerFiles) add(name, selection.files);
  if (add(kAdapterWeights, selection.weights) || add(kOlderAdapterWeights, selection.weights)) return;
  throw UserError(fmt::format("{}: a PEFT adapter for which the hub lists no weights; expected {} or {}", model,
                              kAdapterWeights, kOlderAdapterWeights));
}

/// A link whose target is gone.
bool dangles(const std::filesystem::path& path) {
  return std::filesystem::is_symlink(std::filesystem::symlink_status(path)) && !readable(path);
}

/// Nothing when the weights of a folder are whole.
std::optional<std::string> missing_weights(const std::filesystem::path& snapshot, const std::string& folder) {
  std::string missing = joined(folder, kWeightFiles[0]);
  for (const auto name : kWeightFiles) {
    const std::string file = joined(folder, name);
    if (dangles(snapshot / file)) return file;
    if (!readable(snapshot / file)) continue;
    if (!is_index(file)) return std::nullopt;
    missing = file;  // where it is broken
    try {
      const auto shards = shards_of(snapshot, file);
      const auto absent =
          std::find_if(shards.begin(), shards.end(), [&](const auto& shard) { return !readable(snapshot / shard); });
      if (absent == shards.end()) return std::nullopt;
      missing = *absent;
    } catch (const UserError&) {
    }
  }
  return missing;
}

/// What modules.json says; nothing where it is missing or broken: its reader will say so.
std::vector<ModuleEntry> modules_of(const std::filesystem::path& snapshot) {
  try {
    if (readable(snapshot / "modules.json")) return read_modules_json(snapshot / "modules.json");
  } catch (const UserError&) {
  }
  return {};
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
    if (!folder.empty() && !is_module_folder(folder)) continue;
    folders.insert(folder);
    if (is_read(name, folder.empty())) selection.files.push_back(file);
  }
  const std::set<std::string> listed(listing.begin(), listing.end());
  const bool has_weights_of_model = std::any_of(kWeightFiles.begin(), kWeightFiles.end(),
                                                [&](const auto name) { return listed.contains(std::string(name)); });
  if (listed.contains(std::string(kAdapterFile))) {
    if (has_weights_of_model) {
      throw UserError(
          fmt::format("{}: the hub lists a PEFT adapter beside the weights of a model, and does not say "
                      "whether it is to be added to them",
                      model));
    }
    add_adapter(model, listed, selection);
    return selection;
  }
  const auto in_some_folder = [&](std::string_view name) {
    return std::any_of(folders.begin(), folders.end(),
                       [&](const std::string& folder) { return listed.contains(joined(folder, name)); });
  };
  std::vector<std::string_view> needed{kConfigFile};
  for (const auto name : tokenizer_files(in_some_folder)) {
    needed.push_back(name);
    for (const auto& folder : folders) {
      if (listed.contains(joined(folder, name))) selection.files.push_back(joined(folder, name));
    }
  }
  for (const std::string_view name : needed) {
    if (in_some_folder(name)) continue;
    throw UserError(
        fmt::format("{}: the hub lists no {} for it, which sgpt needs{}", model, name, foreign_weights(listing)));
  }
  bool has_weights = false;
  for (const auto& folder : folders) {
    for (const auto name : kWeightFiles) {
      const std::string file = joined(folder, name);
      if (!listed.contains(file)) continue;
      (is_index(file) ? selection.indexes : selection.weights).push_back(file);
      has_weights = true;
      break;
    }
  }
  if (!has_weights) {
    throw UserError(
        fmt::format("{}: the hub lists no weights for it that sgpt reads (model.safetensors or "
                    "pytorch_model.bin, or the .index.json of either){}",
                    model, foreign_weights(listing)));
  }
  return selection;
}

std::vector<std::string> shards_of(const std::filesystem::path& snapshot, const std::string& index) {
  std::vector<std::string> shards = read_weight_index(snapshot / index).shards();
  for (std::string& shard : shards) shard = joined(folder_of(index), shard);
  return shards;
}

Lacking lacking_in(const std::filesystem::path& snapshot, const std::filesystem::path& no_exist) {
  std::string transformer;
  std::vector<std::string> needed;
  std::vector<std::string> with_weights;  // the folders
  std::vector<std::string> optional(kModelFiles.begin(), kModelFiles.end());
  for (const ModuleEntry& module : modules_of(snapshot)) {
    if (module.type.ends_with(".Transformer")) transformer = module.path;
    const bool dense = module.type.ends_with(".Dense");
    if (dense || module.type.ends_with(".Pooling")) needed.push_back(joined(module.path, "config.json"));
    if (dense) with_weights.push_back(module.path);
  }
  const auto is_there = [&](std::string_view name) { return readable(snapshot / joined(transformer, name)); };
  const bool adapter = readable(snapshot / kAdapterFile);
  if (!adapter) {
    needed.push_back(joined(transformer, kConfigFile));
    for (const auto name : tokenizer_files(is_there)) needed.push_back(joined(transformer, name));
  }
  for (const auto name : kTransformerFiles) optional.push_back(joined(transformer, name));

  Lacking lacking;
  const auto needs = [&](const std::string& file) {
    if (!lacking.needed) lacking.needed = file;
  };
  for (const auto& file : optional) {
    if (dangles(snapshot / file)) {
      needs(file);
    } else if (!readable(snapshot / file) && !readable(no_exist / file)) {
      lacking.unknown.push_back(file);
    }
  }
  for (const auto& file : needed) {
    if (!readable(snapshot / file)) needs(file);
  }
  if (!adapter) with_weights.push_back(transformer);
  if (adapter && !readable(snapshot / kAdapterWeights) && !readable(snapshot / kOlderAdapterWeights)) {
    lacking.weights = true;
    needs(std::string(kAdapterWeights));
  }
  for (const std::string& folder : with_weights) {
    if (const auto file = missing_weights(snapshot, folder)) {
      lacking.weights = true;
      needs(*file);
    }
  }
  return lacking;
}

}  // namespace sgpt
