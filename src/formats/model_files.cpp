#include "formats/model_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "formats/json_file.h"
#include "formats/shown.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

/// A shard lies in the folder itself: an index must not lead anywhere else.
bool plain_name(const std::string& file) {
  const auto is_bad = [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/' || c == '\\'; };
  return !file.empty() && file != "." && file != ".." && std::none_of(file.begin(), file.end(), is_bad);
}

std::string string_of(const nlohmann::json& module, const char* key, const fs::path& modules_json) {
  const auto found = module.is_object() ? module.find(key) : module.end();
  if (!module.is_object() || found == module.end() || !found->is_string()) {
    throw UserError(fmt::format("{}: every module needs a string under {}", modules_json.string(), key));
  }
  return found->get<std::string>();
}

/// A module's folder, which must lie inside the model's.
std::string relative_folder(const std::string& path, const fs::path& modules_json) {
  const fs::path relative = fs::path(path).lexically_normal();
  if (relative.is_absolute() || (!relative.empty() && *relative.begin() == "..") ||
      path.find('\0') != std::string::npos) {
    throw UserError(
        fmt::format("{}: path: expected a folder inside the model's, found {}", modules_json.string(), shown(path)));
  }
  const std::string text = relative.generic_string();
  if (text == ".") return "";
  return text.ends_with('/') ? text.substr(0, text.size() - 1) : text;
}

/// How weights that sgpt does not read are known by the names of their files, and what to do about them.
struct ForeignKind {
  std::string_view end;  // of a file's name
  std::string_view what;
  std::string_view advice;
};

constexpr std::string_view kTakeOriginal =
    "take the model that they were made from, with model.safetensors or pytorch_model.bin";
constexpr std::string_view kSaveFromTransformers =
    "load them in Python's transformers 4 (from_flax=True or from_tf=True) and save_pretrained the model";

constexpr ForeignKind kForeign[] = {
    {".gguf", "GGUF (llama.cpp)", kTakeOriginal},
    {"ggml-model.bin", "GGML (llama.cpp)", kTakeOriginal},
    {"quantize_config.json", "GPTQ", kTakeOriginal},
    {"gptq_model-4bit-128g.safetensors", "GPTQ", kTakeOriginal},
    {"quant_config.json", "AWQ", kTakeOriginal},
    {".onnx", "ONNX", kTakeOriginal},
    {"openvino_model.bin", "OpenVINO", kTakeOriginal},
    {"openvino_model.xml", "OpenVINO", kTakeOriginal},
    {".mlmodel", "Core ML", kTakeOriginal},
    {".tflite", "TensorFlow Lite", kTakeOriginal},
    {"flax_model.msgpack", "Flax", kSaveFromTransformers},
    {"flax_model.msgpack.index.json", "Flax", kSaveFromTransformers},
    {"tf_model.h5", "TensorFlow", kSaveFromTransformers},
    {"tf_model.h5.index.json", "TensorFlow", kSaveFromTransformers},
    {"model.ckpt.index", "TensorFlow", kSaveFromTransformers},
    {"rust_model.ot", "rust-bert", kTakeOriginal},
    {".nemo", "NeMo", kTakeOriginal},
    {".pth", "another layout of PyTorch", "save_pretrained the model in Python's transformers"},
    {".pt", "another layout of PyTorch", "save_pretrained the model in Python's transformers"},
};

}  // namespace

bool is_index(std::string_view file) { return file.ends_with(".index.json"); }

std::vector<std::string> WeightIndex::shards() const {
  std::set<std::string> names;
  for (const auto& [tensor, file] : files) names.insert(file);
  return {names.begin(), names.end()};
}

WeightIndex read_weight_index(const fs::path& path) {
  const JsonFile json(path);
  const auto* map = json.find("weight_map");
  if (!map || !map->is_object() || map->empty()) json.fail("weight_map", "an object {tensor: file}");
  WeightIndex index;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !plain_name(file.get_ref<const std::string&>())) {
      throw UserError(fmt::format("{}: weight_map: {}: expected the name of a file in the same folder, found {}",
                                  path.string(), shown(tensor), shown_json(file)));
    }
    index.files.emplace_back(tensor, file.get<std::string>());
  }
  return index;
}

std::vector<ModuleEntry> read_modules_json(const fs::path& path) {
  const auto list = read_json(path);
  if (!list->is_array()) throw UserError(fmt::format("{}: expected a list of modules", path.string()));
  std::vector<ModuleEntry> modules;
  for (const auto& entry : *list) {
    modules.push_back({string_of(entry, "type", path), relative_folder(string_of(entry, "path", path), path)});
  }
  return modules;
}

std::string foreign_weights(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    if (fs::path(file).filename() == kAdapterFile) return fmt::format("; {} is there: {}", file, adapter_advice());
  }
  for (const ForeignKind& kind : kForeign) {
    for (const std::string& file : files) {
      if (!file.ends_with(kind.end)) continue;
      return fmt::format("; the weights that are there, {}, are in the format of {}, which sgpt does not read: {}",
                         file, kind.what, kind.advice);
    }
  }
  return "";
}

std::vector<std::string> file_names(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    files.push_back(entry->path().lexically_relative(folder).generic_string());
    if (entry.depth() > 0) entry.disable_recursion_pending();
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string adapter_advice() {
  return "this is a PEFT adapter, weights to be added to another model's: name that with --model, and the adapter with "
         "--adapter";
}

}  // namespace sgpt
