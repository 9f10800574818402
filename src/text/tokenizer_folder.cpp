#include "text/tokenizer_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/mapped_file.h"
#include "sgpt/error.h"
#include "text/vocabulary_files.h"

namespace sgpt {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// The roles that transformers knows, in its order.
constexpr std::array<std::string_view, 7> kRoles = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                    "pad_token", "cls_token", "mask_token"};

bool is_role(std::string_view key) { return std::find(kRoles.begin(), kRoles.end(), key) != kRoles.end(); }

/// What GPT-2 and Qwen take for roles that no file names, where there is no tokenizer.json.
constexpr std::string_view kEndOfText = "<|endoftext|>";
constexpr std::array<std::string_view, 3> kGpt2Defaults = {"bos_token", "eos_token", "unk_token"};
constexpr std::array<std::string_view, 3> kQwenDefaults = {"eos_token", "unk_token", "pad_token"};

/// One of the files: an object, empty where there is no file.
struct SideFile {
  fs::path path;
  Json values = Json::object();
  bool there = false;

  explicit SideFile(fs::path file) : path(std::move(file)) {
    std::error_code none;
    there = fs::exists(fs::symlink_status(path, none));
    if (!there) return;
    const MappedFile content(path);
    values = Json::parse(content.text(), nullptr, false);
    if (!values.is_object()) {
      throw UserError(fmt::format("{}: expected a JSON object; the file is damaged or cut short", path.string()));
    }
  }

  [[noreturn]] void fail(std::string_view key, std::string_view expected, const Json& found) const {
    throw UserError(fmt::format("{}: {}: expected {}, found {}", path.string(), key, expected,
                                found.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 60)));
  }

  const Json* find(std::string_view key) const {
    const auto found = values.find(key);
    return found == values.end() || found->is_null() ? nullptr : &*found;
  }

  std::optional<bool> boolean(std::string_view key) const {
    const Json* value = find(key);
    if (!value) return std::nullopt;
    if (!value->is_boolean()) fail(key, "true or false", *value);
    return value->get<bool>();
  }

  std::string string(std::string_view key) const {
    const Json* value = find(key);
    if (!value) return {};
    if (!value->is_string()) fail(key, "a string", *value);
    return value->get<std::string>();
  }
};

/// A token as a string, which is special, or as an object {content, lstrip, …}.
AddedToken token_from(const Json& value, const SideFile& file, std::string_view key, bool special_by_default) {
  AddedToken token;
  token.special = special_by_default;
  if (value.is_string()) {
    token.content = value.get<std::string>();
  } else if (value.is_object() && value.contains("content") && value["content"].is_string()) {
    token.content = value["content"].get<std::string>();
    const auto flag = [&](const char* name, bool otherwise) {
      const auto found = value.find(name);
      if (found == value.end()) return otherwise;
      if (!found->is_boolean()) file.fail(fmt::format("{}.{}", key, name), "true or false", *found);
      return found->get<bool>();
    };
    token.special = flag("special", special_by_default);
    token.single_word = flag("single_word", false);
    token.lstrip = flag("lstrip", false);
    token.rstrip = flag("rstrip", false);
    token.normalized = flag("normalized", !token.special);
  } else {
    file.fail(key, "a token, as a string or as an object with \"content\"", value);
  }
  return token;
}

bool same_flags(const AddedToken& a, const AddedToken& b) {
  return a.single_word == b.single_word && a.lstrip == b.lstrip && a.rstrip == b.rstrip &&
         a.normalized == b.normalized && a.special == b.special;
}

AddedToken* find(std::vector<AddedToken>& tokens, std::string_view content) {
  const auto found = std::find_if(tokens.begin(), tokens.end(), [&](auto& token) { return token.content == content; });
  return found == tokens.end() ? nullptr : &*found;
}

/// The tokens that a folder's files name, gathered and then added as transformers does it.
class FolderTokens {
 public:
  /// `defaults`: roles that this token has where no file names another.
  FolderTokens(const fs::path& folder, const TokenizerParts& parts, std::span<const std::string_view> defaults)
      : config_(folder / "tokenizer_config.json"),
        map_(folder / "special_tokens_map.json"),
        added_(folder / "added_tokens.json") {
    read_config();
    if (config_.values.contains("added_tokens_decoder")) {
      read_decoder();
    } else {  // only then are the two older files looked at
      read_special_tokens_map();
      read_added_tokens();
      for (const AddedToken& token : parts.added_tokens) by_id_[token.file_id] = token;
    }
    for (const std::string_view name : defaults) {
      if (!config_.values.contains(name) && !roles_.contains(name)) {
        roles_[std::string(name)] = {.content = std::string(kEndOfText), .special = true};
      }
    }
    if (!parts.pad_token.empty() && !config_.values.contains("pad_token") && !roles_.contains("pad_token")) {
      roles_["pad_token"] = {.content = parts.pad_token, .special = true};
    }
  }

  const SideFile& config() const { return config_; }

  /// The name of the token in a role; empty where none has it.
  std::string role(std::string_view name) const {
    const auto found = roles_.find(name);
    return found == roles_.end() ? std::string() : found->second.content;
  }

  void add_to(TokenizerParts& parts) const {
    std::vector<AddedToken> wanted;
    for (const auto& [id, token] : by_id_) {
      const AddedToken* there = find(parts.added_tokens, token.content);
      if (!there || !same_flags(*there, token)) wanted.push_back(token);
    }
    const auto want = [&](const AddedToken& token) {
      if (!find(parts.added_tokens, token.content) && !find(wanted, token.content)) wanted.push_back(token);
    };
    for (const std::string_view name : kRoles) {
      if (const auto found = roles_.find(name); found != roles_.end()) want(found->second);
    }
    for (const auto& [name, token] : other_roles_) want(token);
    for (const AddedToken& token : extra_) want(token);
    for (AddedToken& token : wanted) {
      token.special = token.special || has_role(token.content);
      add(std::move(token), parts);
    }
  }

 private:
  bool has_role(std::string_view content) const {
    const auto is = [&](const auto& role) { return role.second.content == content; };
    return std::any_of(roles_.begin(), roles_.end(), is) || std::any_of(other_roles_.begin(), other_roles_.end(), is);
  }

  void add(AddedToken token, TokenizerParts& parts) const {
    if (token.content.empty()) return;  // `tokenizers` passes over it
    if (AddedToken* there = find(parts.added_tokens, token.content)) {
      token.id = there->id;
      *there = std::move(token);
      return;
    }
    token.id = added_token_id(token.content, parts.model.vocabulary, parts.added_tokens);
    if (const auto other = parts.model.vocabulary.token_of(token.id); other && *other != token.content) {
      throw UserError(fmt::format("{}: the token \"{}\", which tokenizer.json lacks, would get the id {} of \"{}\"",
                                  config_.path.parent_path().string(), token.content, token.id, *other));
    }
    parts.added_tokens.push_back(std::move(token));
  }

  void read_config() {
    for (const auto& [key, value] : config_.values.items()) {
      if (value.is_null()) continue;
      if (is_role(key)) {
        roles_[key] = token_from(value, config_, key, value.is_string());
      } else if (key.ends_with("_token") && value.is_string()) {  // a role of the model's own
        other_roles_[key] = token_from(value, config_, key, true);
      }
    }
    const Json* extra = config_.find("extra_special_tokens");
    read_extra(config_, extra && !extra->empty() ? "extra_special_tokens" : "additional_special_tokens");
  }

  void read_extra(const SideFile& file, const char* key) {
    const Json* list = file.find(key);
    if (!list) return;
    if (!list->is_array() && !list->is_object()) file.fail(key, "a list of tokens", *list);
    for (const auto& [name, value] : list->items()) {
      const AddedToken token = token_from(value, file, key, value.is_string() || list->is_object() || &file == &map_);
      if (list->is_object()) {
        other_roles_[name] = token;
      } else if (!find(extra_, token.content)) {
        extra_.push_back(token);
      }
    }
  }

  void read_decoder() {
    const Json& decoder = config_.values["added_tokens_decoder"];
    if (!decoder.is_object()) config_.fail("added_tokens_decoder", "an object {id: token}", decoder);
    for (const auto& [id, value] : decoder.items()) {
      const bool is_number = !id.empty() && id.size() < 10 &&
                             std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!is_number) config_.fail("added_tokens_decoder", "ids for keys", Json(id));
      if (!value.is_object()) config_.fail("added_tokens_decoder", "an object {id: token}", value);
      by_id_[std::stol(id)] = token_from(value, config_, "added_tokens_decoder." + id, false);
    }
    for (auto* roles : {&roles_, &other_roles_}) {  // flags stand in the decoder
      for (auto& [name, token] : *roles) {
        for (const auto& [id, known] : by_id_) {
          if (is_role(name) && known.content == token.content) token = known;
        }
      }
    }
  }

  void read_special_tokens_map() {
    for (const auto& [key, value] : map_.values.items()) {
      if (value.is_null()) continue;
      if (is_role(key)) {
        roles_[key] = token_from(value, map_, key, true);
        roles_[key].special = true;
      } else if (key == "extra_special_tokens" || key == "additional_special_tokens") {
        read_extra(map_, key.c_str());
      } else if (key.ends_with("_token") && value.is_string()) {
        other_roles_[key] = token_from(value, map_, key, true);
      }
    }
  }

  void read_added_tokens() {
    for (const auto& [content, id] : added_.values.items()) {
      if (!id.is_number_integer()) added_.fail(content, "an id", id);
      const bool special = has_role(content) || find(extra_, content) != nullptr;
      by_id_[id.get<long>()] = {.content = content, .normalized = !special, .special = special};
    }
  }

  SideFile config_;
  SideFile map_;
  SideFile added_;
  std::map<std::string, AddedToken, std::less<>> roles_;
  std::map<std::string, AddedToken, std::less<>> other_roles_;
  std::vector<AddedToken> extra_;
  std::map<long, AddedToken> by_id_;
};

/// add_bos_token and add_eos_token, for models whose tokenizer.json does not put the tokens there.
void add_around(const FolderTokens& tokens, TokenizerParts& parts) {
  const SideFile& config = tokens.config();
  const auto missing = [&](const char* key, const char* role, const auto& there) -> std::optional<std::int32_t> {
    if (!config.boolean(key).value_or(false)) return std::nullopt;
    const std::string content = tokens.role(role);
    if (content.empty()) config.fail(key, fmt::format("false, or a {} beside it", role), Json(true));
    const AddedToken* token = find(parts.added_tokens, content);  // all roles are
    const auto id = static_cast<std::int32_t>(token->id);
    if (there(id)) return std::nullopt;
    log::info(
        fmt::format("{}: {} puts \"{}\" around every text, though tokenizer.json does not (transformers 4 does "
                    "so, transformers 5 does not); set it to false to leave it out",
                    config.path.string(), key, content));
    return id;
  };
  SpecialTokens& around = parts.special_tokens;
  const auto bos = missing("add_bos_token", "bos_token",
                           [&](std::int32_t id) { return !around.before.empty() && around.before.front() == id; });
  if (bos) around.before.insert(around.before.begin(), *bos);
  const auto eos = missing("add_eos_token", "eos_token",
                           [&](std::int32_t id) { return !around.behind.empty() && around.behind.back() == id; });
  if (eos) around.behind.push_back(*eos);
}

void apply_prefix_space(const SideFile& config, PreTokenizer& pre_tokenizer) {
  if (!pre_tokenizer.byte_level()) return;
  const std::string name = config.string("tokenizer_class");
  const std::optional<bool> wanted = config.boolean("add_prefix_space");
  if (name == "GPT2Tokenizer" || name == "GPT2TokenizerFast") {  // these always take it from there
    pre_tokenizer.set_prefix_space(wanted.value_or(false));
  } else if (wanted && *wanted != pre_tokenizer.prefix_space()) {
    log::info(fmt::format("{}: add_prefix_space is {}, but {} in tokenizer.json, which is followed",
                          config.path.string(), *wanted, pre_tokenizer.prefix_space()));
  }
}

}  // namespace

TokenizerParts read_tokenizer_folder(const fs::path& folder) {
  const bool older = has_vocabulary_files(folder);
  const std::string name =
      older ? vocabulary_files_class(folder, SideFile(folder / "tokenizer_config.json").string("tokenizer_class")) : "";
  TokenizerParts parts = older ? read_vocabulary_files(folder, name) : read_tokenizer_file(folder / "tokenizer.json");
  std::span<const std::string_view> defaults;
  if (older) defaults = name == "Qwen2Tokenizer" ? kQwenDefaults : kGpt2Defaults;
  const FolderTokens tokens(folder, parts, defaults);
  const SideFile& config = tokens.config();
  if (older) parts.pre_tokenizer.set_prefix_space(config.boolean("add_prefix_space").value_or(false));
  tokens.add_to(parts);
  add_around(tokens, parts);
  apply_prefix_space(config, parts.pre_tokenizer);
  parts.splits_special_tokens = config.boolean("split_special_tokens").value_or(false);
  if (const std::string side = config.string("truncation_side"); !side.empty()) {
    if (side != "left" && side != "right") config.fail("truncation_side", "left or right", Json(side));
    parts.cuts_left = side == "left";
  }
  return parts;
}

}  // namespace sgpt
