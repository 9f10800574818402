#include "encode/text_preparation.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/hub_path.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/unicode.h"
#include "encode/prompts.h"
#include "formats/json_file.h"
#include "formats/shown.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::array<TextKind, 3> kKinds{TextKind::query, TextKind::document, TextKind::plain};

bool choose_brackets(const ModelFolder& folder, std::optional<bool> wanted) {
  if (wanted) return *wanted;
  if (folder.brackets) return *folder.brackets;
  if (!folder.sentences.prompts.names().empty()) return false;  // a model with prompts has no need of them
  log::info(
      fmt::format("{}: nothing says whether this model was trained with special brackets; they are off (--specb turns "
                  "them on)",
                  folder.path.string()));
  return false;
}

/// At most as many tokens as the model has positions for.
std::int64_t choose_length(const ModelFolder& folder, std::optional<std::int64_t> wanted) {
  const std::int64_t length = wanted.value_or(folder.max_seq_length), longest = folder.config.longest_text;
  if (longest == 0 || length <= longest) return length;
  log::warning(fmt::format("{}: the model has positions for {} tokens: texts are cut there, not at {}",
                           folder.path.string(), longest, length));
  return longest;
}

std::int32_t bracket_id(const Tokenizer& tokenizer, const ModelFolder& folder, std::string_view bracket) {
  const TokenIds ids = tokenizer.encode(bracket);
  if (ids.size() != 1) {
    throw UserError(
        fmt::format("{}: the bracket '{}' is {} tokens instead of one: this tokenizer does not go with special "
                    "brackets, switch them off (--no-specb)",
                    folder.tokenizer_file().string(), bracket, ids.size()));
  }
  return ids.front();
}

/// The id of the token that the files beside the tokenizer name as eos_token.
std::int32_t eos_token(const Tokenizer& tokenizer, const ModelFolder& folder) {
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const auto file = JsonFile::if_present(folder.tokenizer / name);
    const auto* token = file ? file->find("eos_token") : nullptr;
    if (!token) continue;
    const bool named = token->is_object() && token->contains("content") && token->at("content").is_string();
    if (!named && !token->is_string()) file->fail("eos_token", "a token");
    const auto text = named ? token->at("content").get<std::string>() : token->get<std::string>();
    if (const auto id = tokenizer.token_to_id(text)) return *id;
    file->fail("eos_token", "a token of tokenizer.json");
  }
  throw UserError(
      fmt::format("{}: no file says which token the tokenizer's eos token is (eos_token in "
                  "tokenizer_config.json), which --append_eos_token asks for",
                  folder.tokenizer.string()));
}

void check_utf8(std::string_view text) {
  if (const auto byte = invalid_utf8(text)) {
    throw UserError(fmt::format("the text is no valid UTF-8 at byte {}: convert it first (iconv -t UTF-8)", *byte));
  }
}

}  // namespace

TextPreparation::TextPreparation(Tokenizer tokenizer, const ModelFolder& folder, const Options& options)
    : tokenizer_(std::move(tokenizer)),
      brackets_(choose_brackets(folder, options.brackets)),
      max_seq_length_(choose_length(folder, options.max_seq_length)),
      around_(tokenizer_.special_tokens()),
      name_(model_shown(folder.path)) {
  if (folder.lower_case) {
    throw UserError(fmt::format("{}: the model wants its texts lower-cased (do_lower_case), which sgpt does not do",
                                folder.path.string()));
  }
  if (tokenizer_.vocab_size() > folder.config.vocabulary) {
    throw UserError(
        fmt::format("{}: the tokenizer has {} ids, but the model's embedding has only {} rows: the two do not "
                    "belong together",
                    folder.tokenizer_file().string(), tokenizer_.vocab_size(), folder.config.vocabulary));
  }
  if (options.append_eos_token) add_eos_token(folder);
  const auto needed = static_cast<std::int64_t>(around());
  if (max_seq_length_ < needed + 1) {
    throw UserError(fmt::format("max_seq_length is {}, but at least {} is needed{}", max_seq_length_, needed + 1,
                                brackets_    ? ": two brackets and one token between them"
                                : needed > 0 ? ": the special tokens of the tokenizer and one of the text"
                                             : ""));
  }
  set_prompts(folder, options);
  if (brackets_) {
    require_no_prompts(folder);
    const Pair query{bracket_id(tokenizer_, folder, "["), bracket_id(tokenizer_, folder, "]")};
    const Pair document{bracket_id(tokenizer_, folder, "{"), bracket_id(tokenizer_, folder, "}")};
    for (const TextKind kind : kKinds) {
      kinds_[static_cast<std::size_t>(kind)].brackets = kind == TextKind::document ? document : query;
    }
  }
}

void TextPreparation::add_eos_token(const ModelFolder& folder) {
  if (brackets_) {
    throw UserError(
        fmt::format("{}: special brackets end every text, and do not go together with an eos token (--append_eos_token "
                    "needs --no_specb)",
                    name_));
  }
  const std::int32_t eos = eos_token(tokenizer_, folder);
  if (!around_.behind.empty() && around_.behind.back() == eos) {
    log::info(fmt::format("{}: the tokenizer puts its eos token behind every text already; it is not put there twice",
                          name_));
    return;
  }
  around_.behind.push_back(eos);
}

void TextPreparation::set_prompts(const ModelFolder& folder, const Options& options) {
  for (const TextKind kind : kKinds) {
    Kind& made = kinds_[static_cast<std::size_t>(kind)];
    const PromptChoice& choice = kind == TextKind::query      ? options.query_prompt
                                 : kind == TextKind::document ? options.document_prompt
                                                              : options.plain_prompt;
    made.prompt = choose_prompt(folder, kind, choice);
    if (!brackets_) made.remark = unused_prompts(folder, kind, choice);
    if (made.prompt.empty()) continue;
    made.prompt_tokens = std::ssize(tokenizer_.encode(made.prompt));
    if (folder.include_prompt) continue;
    // As sentence-transformers counts: the prompt in its special tokens, less one where such a token ends it.
    made.skipped = made.prompt_tokens + std::ssize(around_.before) + std::ssize(around_.behind);
    if (!around_.behind.empty()) --made.skipped;
  }
}

void TextPreparation::require_no_prompts(const ModelFolder& folder) const {
  for (const TextKind kind : kKinds) {
    if (of(kind).prompt.empty()) continue;
    throw UserError(
        fmt::format("{}: special brackets and prompts do not go together, but {} texts have the prompt {}; switch the "
                    "brackets off (--no_specb), or the prompt, with an empty one",
                    folder.path.string(), name_of(kind), shown(of(kind).prompt)));
  }
}

void TextPreparation::tell(TextKind kind) const {
  if (!of(kind).remark.empty()) log::info(of(kind).remark);
  const std::int64_t room = max_seq_length_ - static_cast<std::int64_t>(around());
  if (of(kind).prompt_tokens < room || of(kind).prompt.empty()) return;
  log::warning(
      fmt::format("{}: the prompt {} has {} tokens of the {} that there is room for: nothing of a text is left", name_,
                  shown(of(kind).prompt), of(kind).prompt_tokens, room));
}

TokenIds TextPreparation::ids(std::string_view text, TextKind kind) const {
  bool cut = false;
  return ids(text, kind, CutEnd::own, cut);
}

/// The text on one line, stripped, behind its prompt, whose own line ends stay; `storage` holds what had to be made.
std::string_view TextPreparation::behind_prompt(std::string_view text, TextKind kind, std::string& storage) const {
  check_utf8(text);
  std::string one_line;  // where the text has several
  if (text.find('\n') != std::string_view::npos) {
    one_line = text;
    std::replace(one_line.begin(), one_line.end(), '\n', ' ');
    text = one_line;
  }
  text = strip(text);
  const std::string& prompt = of(kind).prompt;
  if (prompt.empty() && one_line.empty()) return text;
  storage.assign(prompt).append(text);
  return storage;
}

TokenIds TextPreparation::ids(std::string_view text, TextKind kind, CutEnd end, bool& cut) const {
  std::string storage;
  text = behind_prompt(text, kind, storage);
  const std::size_t room = static_cast<std::size_t>(max_seq_length_) - around();
  const bool own = tokenizer_.cuts_left(), left = end == CutEnd::own ? own : end == CutEnd::left;
  // One more tells whether there are more; the tokenizer's other end is found from the whole.
  TokenIds ids = left == own ? tokenizer_.encode(text, room + 1) : tokenizer_.encode(text);
  cut = ids.size() > room;
  if (cut && left) ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(room));
  if (cut && !left) ids.resize(room);
  if (!brackets_) {
    ids.insert(ids.begin(), around_.before.begin(), around_.before.end());
    ids.insert(ids.end(), around_.behind.begin(), around_.behind.end());
    return ids;
  }
  const Pair& pair = of(kind).brackets;
  ids.insert(ids.begin(), pair.open);
  ids.push_back(pair.close);
  return ids;
}

std::int64_t TextPreparation::uncut_tokens(std::string_view text, TextKind kind) const {
  std::string storage;
  return std::ssize(tokenizer_.encode(behind_prompt(text, kind, storage))) + static_cast<std::int64_t>(around());
}

PreparedTexts TextPreparation::prepare(std::span<const std::string> texts, TextKind kind, TextPlaces places) const {
  PreparedTexts result{std::vector<TokenIds>(texts.size()), {}, skipped(kind)};
  std::vector<char> cut(texts.size());
  parallel_tasks(std::ssize(texts), [&](std::int64_t number) {
    const auto i = static_cast<std::size_t>(number);
    try {
      bool was_cut = false;
      result.ids[i] = ids(texts[i], kind, CutEnd::own, was_cut);
      cut[i] = was_cut;
    } catch (const UserError& error) {
      throw UserError(fmt::format("{}: {}", place_of(i, texts.size(), places), error.what()));
    }
  });
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (cut[i]) result.cut.push_back(i);
  }
  return result;
}

}  // namespace sgpt
