// What the files of a model are called, and which further ones they name: one description for those who read a folder
// and for those who fetch it from a hub.
#pragma once

#include <array>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sgpt {

/// Weights; the first that a folder has is taken.
inline constexpr std::array<std::string_view, 4> kWeightFiles{"model.safetensors", "model.safetensors.index.json",
                                                              "pytorch_model.bin", "pytorch_model.bin.index.json"};

/// What is read of the model's own folder where it is there.
inline constexpr std::array<std::string_view, 3> kModelFiles{"modules.json", "config_sentence_transformers.json",
                                                             "sgpt_config.json"};

/// Beside the weights, and beside it what is read where it is there.
inline constexpr std::string_view kConfigFile = "config.json";
inline constexpr std::array<std::string_view, 4> kTransformerFiles{"tokenizer_config.json", "sentence_bert_config.json",
                                                                   "special_tokens_map.json", "added_tokens.json"};

/// The tokenizer, and what older folders have in its place, both of them.
inline constexpr std::array<std::string_view, 1> kTokenizerFiles{"tokenizer.json"};
inline constexpr std::array<std::string_view, 2> kOlderTokenizerFiles{"vocab.json", "merges.txt"};

/// Those of the two that a folder is read by, or ought to have; `has(name)` is asked what is there.
template <class Has>
std::span<const std::string_view> tokenizer_files(const Has& has) {
  const bool older = !has(kTokenizerFiles[0]) && has(kOlderTokenizerFiles[0]) && has(kOlderTokenizerFiles[1]);
  return older ? std::span<const std::string_view>(kOlderTokenizerFiles) : kTokenizerFiles;
}

/// Of a PEFT adapter, which changes the weights beside it, or belongs to weights that lie elsewhere.
inline constexpr std::string_view kAdapterFile = "adapter_config.json";
inline constexpr std::string_view kAdapterWeights = "adapter_model.safetensors";
inline constexpr std::string_view kOlderAdapterWeights = "adapter_model.bin";

/// Does this file of weights only name those that hold them?
bool is_index(std::string_view file);

/// A file of weights that says which tensor lies in which file of its own folder.
struct WeightIndex {
  std::vector<std::pair<std::string, std::string>> files;  ///< tensor, as the file spells it, to file

  std::vector<std::string> shards() const;  ///< each file once, sorted
};

/// Throws UserError when the file is broken, or names anything but a file of its own folder.
WeightIndex read_weight_index(const std::filesystem::path& path);

/// An entry of modules.json.
struct ModuleEntry {
  std::string type;  ///< as it stands there, "sentence_transformers.models.Pooling"
  std::string path;  ///< relative to the model's folder, "" for that itself
};

/// Throws UserError when modules.json is broken, or names a folder outside of the model's.
std::vector<ModuleEntry> read_modules_json(const std::filesystem::path& path);

/// Of weights that sgpt does not read, if the files (paths relative to the model's folder) hold such: "; what is there
/// are weights of …, FILE: what to do instead". For the end of a message that misses others.
std::string foreign_weights(const std::vector<std::string>& files);

/// The files of a folder and of the folders in it, relative to it, sorted.
std::vector<std::string> file_names(const std::filesystem::path& folder);

/// What to do about a PEFT adapter.
std::string adapter_advice();

}  // namespace sgpt
