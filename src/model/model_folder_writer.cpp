#include "model/model_folder_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/atomic_file.h"
#include "base/atomic_folder.h"
#include "base/filesystem.h"
#include "base/hub_path.h"
#include "base/mapped_file.h"
#include "formats/json_file.h"
#include "formats/model_files.h"
#include "model/family.h"
#include "model/pooling_config.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;  // keys stand in the order in which they are written

void write_json(const fs::path& path, const Json& value) { write_file(path, value.dump(2) + "\n"); }

void carry_over(const fs::path& from, const fs::path& to) { write_file(to, MappedFile(from).text()); }

/// modules.json and the folders that it names, with what they hold of their own: pooling, and Dense modules whole.
void write_modules(const AtomicFolder& folder, const ModelFolder& settings) {
  Json modules = Json::array();
  const auto add = [&](const char* type) {
    const auto number = static_cast<int>(modules.size());
    const std::string path = number == 0 ? "" : fmt::format("{}_{}", number, type);
    modules.push_back({{"idx", number},
                       {"name", std::to_string(number)},
                       {"path", path},
                       {"type", fmt::format("sentence_transformers.models.{}", type)}});
    if (number > 0) files::make_folders(folder / path);
    return folder / path;
  };
  add("Transformer");
  write_file(add("Pooling") / "config.json",
             pooling_config(settings.pooling, settings.config.hidden, settings.include_prompt));
  for (const HeadModule& module : settings.head) {
    const fs::path target = add(module.dense ? "Dense" : "Normalize");
    if (module.dense) copy_dense(module.folder, target);
  }
  if (settings.normalize) add("Normalize");
  write_json(folder / "modules.json", modules);
}

Json special_token_ids(const Json& tokenizer) {
  static constexpr std::array<std::array<std::string_view, 2>, 3> kTokens{
      {{"bos_token_id", "<s>"}, {"eos_token_id", "</s>"}, {"pad_token_id", "<pad>"}}};
  Json ids = Json::object();
  for (const auto& [key, content] : kTokens) {
    for (const Json& token : tokenizer.value("added_tokens", Json::array())) {
      if (token.value("content", "") == content) ids[std::string(key)] = token.value("id", 0);
    }
  }
  return ids;
}

/// The class that was written over may have been all that told which way the attention looks.
void record_attention(const Architecture& architecture, Json& config) {
  const bool told = config.contains("is_causal") || config.contains("use_bidirectional_attention");
  if (architecture.causal && !told) return;
  config["is_causal"] = architecture.causal;
  config["use_bidirectional_attention"] = !architecture.causal;
}

Json fresh_config(const Architecture& architecture) {
  Json config{{"architectures", {architecture.family->model_class}}, {"model_type", architecture.family->model_type}};
  architecture.family->write(architecture, config);
  record_attention(architecture, config);
  return config;
}

Json parse_ordered(const fs::path& path) {
  read_json(path);  // checks it, with a message that names the file
  return Json::parse(MappedFile(path).text());
}

void write_config(const AtomicFolder& folder, const Architecture& config, const fs::path& source_config,
                  const Json& tokens, std::span<const TensorToWrite> tensors) {
  Json json;
  if (source_config.empty()) {
    json = fresh_config(config);
    json.update(tokens);
  } else {
    json = parse_ordered(source_config);
    json["architectures"] = {config.family->model_class};
    json["model_type"] = config.family->model_type;
    json.erase("auto_map");  // classes in files that do not come along
    record_attention(config, json);
  }
  const bool has_f32 = std::any_of(tensors.begin(), tensors.end(), [](auto& t) { return t.type == DType::f32; });
  if (has_f32) {
    // Libraries load the weights in this type: the trained ones must not be rounded.
    if (json.contains("dtype")) json["dtype"] = "float32";
    if (json.contains("torch_dtype") || !json.contains("dtype")) json["torch_dtype"] = "float32";
  }
  write_json(folder / "config.json", json);
}

/// The special tokens by their roles, for transformers; batches there need a token to pad with.
Json special_tokens(const Json& tokenizer) {
  static constexpr std::array<std::array<std::string_view, 2>, 4> kRoles{
      {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}}};
  Json roles = Json::object();
  std::string first;
  for (const Json& token : tokenizer.value("added_tokens", Json::array())) {
    const std::string content = token.value("content", "");
    if (first.empty()) first = content;
    for (const auto& [role, usual] : kRoles) {
      if (content == usual) roles[std::string(role)] = content;
    }
  }
  if (!roles.contains("pad_token") && !first.empty()) roles["pad_token"] = roles.value("eos_token", first);
  return roles;
}

/// The roles of a tokenizer that is vocab.json and merges.txt: its class knows them, but for the token to pad with.
Json special_tokens_of_older(const fs::path& vocabulary) {
  static constexpr const char* kEnd = "<|endoftext|>";
  return parse_ordered(vocabulary).contains(kEnd) ? Json{{"pad_token", kEnd}} : Json::object();
}

/// tokenizer.json, or what older folders have in its place, and the files that transformers looks for beside it.
void write_tokenizer(const AtomicFolder& folder, const ModelFolder& settings, const fs::path& tokenizer_json,
                     const fs::path& source_folder, const Json& tokenizer) {
  const bool older = tokenizer.empty();
  if (older) {
    for (const auto name : kOlderTokenizerFiles) carry_over(source_folder / name, folder / name);
  } else {
    carry_over(tokenizer_json, folder / "tokenizer.json");
  }
  Json roles = older ? special_tokens_of_older(source_folder / kOlderTokenizerFiles[0]) : special_tokens(tokenizer);
  if (const fs::path config = source_folder / "tokenizer_config.json"; present(config)) {
    carry_over(config, folder / "tokenizer_config.json");
    const auto named = parse_ordered(config);
    for (const auto& [role, value] : named.items()) roles.erase(role);  // it names them itself
  } else {
    Json made{{"model_max_length", settings.max_seq_length},
              {"padding_side", "right"},
              {"clean_up_tokenization_spaces", false}};
    if (!older) made["tokenizer_class"] = "PreTrainedTokenizerFast";  // else the class follows from the model's
    made.update(roles);
    write_json(folder / "tokenizer_config.json", made);
  }
  if (const fs::path map = source_folder / "special_tokens_map.json"; present(map)) {
    carry_over(map, folder / "special_tokens_map.json");
  } else {
    write_json(folder / "special_tokens_map.json", roles);
  }
  if (const fs::path added = source_folder / "added_tokens.json"; present(added)) {
    carry_over(added, folder / "added_tokens.json");
  }
}

/// Where a tokenizer comes from: a folder, or a tokenizer.json alone.
struct TokenizerSource {
  explicit TokenizerSource(const fs::path& source)
      : folder(files::is_folder(source) ? source : fs::path()),
        file(folder.empty() ? source : source / "tokenizer.json") {
    const auto has = [&](std::string_view name) { return present(source / name); };
    const bool older = !folder.empty() && tokenizer_files(has).size() > 1;
    json = older ? Json::object() : parse_ordered(file);
  }

  fs::path folder;  // empty: none
  fs::path file;
  Json json;  // empty: the folder has vocab.json and merges.txt in its place
};

/// What a sentence-transformers folder says beside the weights and the tokenizer.
void write_settings(const AtomicFolder& folder, const ModelFolder& settings) {
  write_modules(folder, settings);
  write_json(folder / "sentence_bert_config.json",
             {{"max_seq_length", settings.max_seq_length}, {"do_lower_case", settings.lower_case}});
  write_file(folder / "config_sentence_transformers.json",
             sentence_config(settings.sentences.prompts, settings.sentences.similarity));
  Json ours{{"version", 1}};
  if (settings.brackets) ours["brackets"] = *settings.brackets;
  write_json(folder / "sgpt_config.json", ours);
}

void write_more(const AtomicFolder& folder, std::string_view card, std::span<const FileToWrite> more) {
  if (!card.empty()) write_file(folder / "README.md", card);
  for (const FileToWrite& file : more) {
    files::make_folders((folder / file.name).parent_path());
    write_file(folder / file.name, file.text);
  }
}

}  // namespace

void require_new_folder(const fs::path& target) {
  if (target == "-") throw UserError("-: a folder is written here, which stdout cannot take; name a folder");
  if (!files::exists(target)) return;
  if (!files::is_folder(target)) {
    throw UserError(fmt::format("{}: exists and is no folder; choose another name", target.string()));
  }
  if (!files::entries(target).empty()) {
    throw UserError(
        fmt::format("{}: the folder exists and is not empty; choose another name or remove it", target.string()));
  }
}

void write_model_folder(const ModelFolder& settings, const fs::path& source, const fs::path& target,
                        std::span<const TensorToWrite> tensors, std::string_view card,
                        std::span<const FileToWrite> more) {
  const TokenizerSource tokenizer(source);
  require_new_folder(target);
  AtomicFolder folder(target);
  write_settings(folder, settings);
  write_config(folder, settings.config, tokenizer.folder.empty() ? fs::path() : tokenizer.folder / "config.json",
               special_token_ids(tokenizer.json), tensors);
  write_tokenizer(folder, settings, tokenizer.file, tokenizer.folder, tokenizer.json);
  write_more(folder, card, more);
  write_safetensors(folder / "model.safetensors", tensors);
  folder.commit();
}

void write_adapter_folder(const ModelFolder& settings, std::string_view config, const fs::path& target,
                          std::span<const TensorToWrite> tensors, std::string_view card,
                          std::span<const FileToWrite> more) {
  const TokenizerSource tokenizer(settings.tokenizer);
  require_new_folder(target);
  AtomicFolder folder(target);
  write_settings(folder, settings);
  write_file(folder / kAdapterFile, config);
  write_tokenizer(folder, settings, tokenizer.file, tokenizer.folder, tokenizer.json);
  write_more(folder, card, more);
  write_safetensors(folder / kAdapterWeights, tensors);
  folder.commit();
}

}  // namespace sgpt
