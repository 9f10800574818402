#include "model/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "base/hub_path.h"
#include "formats/json_file.h"
#include "formats/model_files.h"
#include "formats/shown.h"
#include "model/lora_config.h"
#include "model/pooling_config.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDefaultLength = 300;
constexpr std::int64_t kLongestLength = 1'000'000;  // a model_max_length beyond it says "no limit"
constexpr std::int64_t kOurVersion = 1;             // of sgpt_config.json

struct Module {
  std::string type;  // the class alone: Transformer, Pooling, Dense, Normalize
  fs::path path;
};

std::vector<Module> read_modules(const fs::path& folder, const fs::path& modules_json) {
  std::vector<Module> modules;
  for (const ModuleEntry& entry : read_modules_json(modules_json)) {
    const std::string name = entry.type.substr(entry.type.rfind('.') + 1);  // versions differ in what stands before
    const bool known = name == "Transformer" || name == "Pooling" || name == "Dense" || name == "Normalize";
    if (!known || !entry.type.starts_with("sentence_transformers.")) {
      throw UserError(
          fmt::format("{}: the module {} is not supported, and without it every embedding would be another; sgpt knows "
                      "Transformer, Pooling, Dense and Normalize",
                      modules_json.string(), shown(entry.type)));
    }
    modules.push_back({name, entry.path.empty() ? folder : folder / entry.path});
  }
  const bool order = modules.size() >= 2 && modules[0].type == "Transformer" && modules[1].type == "Pooling" &&
                     std::all_of(modules.begin() + 2, modules.end(), [](const Module& module) {
                       return module.type == "Dense" || module.type == "Normalize";
                     });
  if (!order) {
    throw UserError(fmt::format(
        "{}: expected the modules Transformer, Pooling, perhaps Dense, and perhaps Normalize, in this order",
        modules_json.string()));
  }
  return modules;
}

/// What follows the pooling.
void read_head(std::span<const Module> modules, ModelFolder& model) {
  model.normalize = !modules.empty() && modules.back().type == "Normalize";
  if (model.normalize) modules = modules.first(modules.size() - 1);
  for (const Module& module : modules) {
    model.head.push_back({module.path, {}});
    if (module.type == "Dense") model.head.back().dense = read_dense_config(module.path);
  }
}

/// A number beyond what a text may have stands for "no limit".
std::optional<std::int64_t> limit(const JsonFile& file, const char* key) {
  const std::optional<double> length = file.number(key);
  if (!length || *length > static_cast<double>(kLongestLength)) return std::nullopt;
  if (!(*length >= 1)) file.fail(key, "a number from 1 on");
  return static_cast<std::int64_t>(*length);
}

/// `own`: the folder of the Transformer module.
void read_length(ModelFolder& model, const JsonFile& config, const fs::path& own) {
  const std::optional<JsonFile> transformer =
      model.has_modules ? JsonFile::if_present(own / "sentence_bert_config.json") : std::nullopt;
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
  const std::optional<JsonFile> tokenizer = JsonFile::if_present(model.tokenizer / "tokenizer_config.json");
  const std::optional<std::int64_t> of_tokenizer = tokenizer ? limit(*tokenizer, "model_max_length") : std::nullopt;
  const std::optional<std::int64_t> positions = limit(config, "max_position_embeddings");
  if (of_tokenizer || positions) {
    model.max_seq_length = std::min(of_tokenizer.value_or(kLongestLength), positions.value_or(kLongestLength));
  }
}

/// The names under which SGPT BLOOM models with special brackets were published.
bool published_with_brackets(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  name.erase(0, name.rfind('/') + 1);  // npos + 1 is 0
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

/// Weights that only another library makes sense of: their tensors are not the model's.
void refuse_quantized(const JsonFile& config) {
  for (const char* key : {"quantization_config", "compression_config"}) {
    const auto* quantization = config.find(key);
    if (!quantization || !quantization->is_object()) continue;
    const auto method = quantization->find("quant_method");
    const bool named = method != quantization->end() && method->is_string();
    if (named && *method == "sgpt") continue;
    const std::string by = named ? shown(method->get_ref<const std::string&>())
                           : quantization->contains("load_in_8bit") || quantization->contains("load_in_4bit")
                               ? "\"bitsandbytes\""
                               : "a method without a name (no quant_method)";
    throw UserError(
        fmt::format("{}: {}: the weights were quantized by {}, which sgpt does not read; take the model that they were "
                    "made from (sgpt convert --dtype int8 makes 8-bit weights of it)",
                    config.path().string(), key, by));
  }
}

/// Which weights a library would add an adapter to that lies beside some is its own secret.
void refuse_adapter(const fs::path& folder) {
  const fs::path file = folder / kAdapterFile;
  if (!present(file)) return;
  throw UserError(
      fmt::format("{}: a PEFT adapter lies beside the weights of a model; name the model that it belongs to "
                  "(base_model_name_or_path) with --model, and with --adapter a folder that holds the "
                  "adapter alone",
                  file.string()));
}

/// The base model of a folder that is an adapter.
fs::path require_base(const fs::path& adapter) {
  if (const auto base = local_base(adapter)) return *base;
  const std::string base = read_lora_config(adapter).base;
  throw UserError(fmt::format(
      "{}: base_model_name_or_path: {} is no folder here; name the model that the adapter belongs to with --model, and "
      "the adapter with --adapter",
      (adapter / kAdapterFile).string(), base.empty() ? std::string("none is named, and there") : shown(base)));
}

/// The folder of the weights within that of a model.
fs::path transformer_of(const fs::path& path) {
  if (!present(path / "modules.json")) return path;
  return read_modules(path, path / "modules.json")[0].path;
}

/// Has a tokenizer of its own?
bool has_tokenizer(const fs::path& folder) {
  const auto files = tokenizer_files([&](std::string_view file) { return present(folder / file); });
  return present(folder / files[0]);
}

/// "hidden_dropout 0.1, …": what transformers would apply in training.
std::string read_dropout(const JsonFile& config) {
  static constexpr std::string_view kKeys[] = {"hidden_dropout", "attention_dropout", "resid_dropout", "embed_dropout"};
  static constexpr std::string_view kKeysOfGpt2[] = {"resid_pdrop", "embd_pdrop", "attn_pdrop"};
  const double unset = config.string("model_type") == "gpt2" ? 0.1 : 0;  // transformers' default
  std::string found;
  const auto add = [&](std::string_view key, double rate) {
    if (rate != 0) found += fmt::format("{}{} {}", found.empty() ? "" : ", ", key, rate);
  };
  for (const std::string_view key : kKeys) add(key, config.number(key).value_or(0));
  for (const std::string_view key : kKeysOfGpt2) add(key, config.number(key).value_or(unset));
  return found;
}

/// The last part of the path; in the hub's cache, the model's name there.
std::string name_of_folder(const fs::path& path) {
  if (const auto hub = hub_path(path)) return hub->id;
  std::error_code none;
  fs::path whole = fs::absolute(path, none).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();  // "model/"
  return whole.filename().string();
}

/// A path that is no folder with a model, and why.
[[noreturn]] void refuse(const fs::path& path) {
  if (!present(path)) throw UserError(fmt::format("{}: no such folder; expected a model folder", path.string()));
  std::error_code none;
  if (!fs::is_directory(path, none)) {
    throw UserError(fmt::format("{}: is no folder; expected a model folder{}", path.string(),
                                foreign_weights({path.filename().string()})));
  }
  throw UserError(fmt::format("{}: not a model folder: neither modules.json nor config.json is in it{}", path.string(),
                              foreign_weights(file_names(path))));
}

}  // namespace

fs::path ModelFolder::tokenizer_file() const {
  return tokenizer / tokenizer_files([&](std::string_view file) { return present(tokenizer / file); })[0];
}

std::string file_name_of(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

ModelFolder read_model_folder(const fs::path& path, const fs::path& adapter) {
  if (is_adapter_folder(path)) return read_model_folder(require_base(path), adapter.empty() ? path : adapter);
  std::error_code none;
  if (!fs::is_directory(path, none) || (!present(path / "modules.json") && !present(path / "config.json")))
    refuse(path);
  refuse_adapter(path);
  if (!adapter.empty()) read_lora_config(adapter);
  ModelFolder model;
  const bool own_modules = !adapter.empty() && present(adapter / "modules.json");
  model.path = own_modules ? adapter : path;
  model.transformer = transformer_of(path);
  model.adapter = adapter;
  model.tokenizer = !adapter.empty() && has_tokenizer(adapter) ? adapter : model.transformer;
  model.max_seq_length = kDefaultLength;
  model.name = name_of_folder(adapter.empty() ? path : adapter);
  const fs::path modules_json = model.path / "modules.json";
  model.has_modules = present(modules_json);
  model.config = read_architecture(model.transformer / "config.json");
  if (model.has_modules) {
    const std::vector<Module> modules = read_modules(model.path, modules_json);
    const PoolingConfig pooling = read_pooling_config(modules[1].path / "config.json", model.config.hidden);
    model.pooling = pooling.modes;
    model.include_prompt = pooling.include_prompt;
    read_head(std::span(modules).subspan(2), model);
    model.sentences = read_sentence_config(model.path / "config_sentence_transformers.json");
  } else {
    model.pooling = {PoolingMode::weightedmean};
  }
  const JsonFile config(model.transformer / "config.json");
  refuse_adapter(model.transformer);
  refuse_quantized(config);
  model.dropout = read_dropout(config);
  read_length(model, config, own_modules ? adapter : model.transformer);
  if (const std::int64_t longest = model.config.longest_text; longest > 0) {
    model.max_seq_length = std::min(model.max_seq_length, longest);
  }
  model.brackets = read_brackets(model);
  return model;
}

}  // namespace sgpt
