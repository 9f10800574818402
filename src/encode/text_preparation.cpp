#include "encode/text_preparation.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "base/parallel.h"
#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::int64_t kBrackets = 2;  // tokens that a pair of brackets takes

bool choose_brackets(const ModelFolder& folder, std::optional<bool> wanted) {
  if (wanted) return *wanted;
  if (folder.brackets) return *folder.brackets;
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

void check_utf8(std::string_view text) {
  if (const auto byte = invalid_utf8(text)) {
    throw UserError(fmt::format("the text is no valid UTF-8 at byte {}: convert it first (iconv -t UTF-8)", *byte));
  }
}

}  // namespace

TextPreparation::TextPreparation(Tokenizer tokenizer, const ModelFolder& folder, const Options& options)
    : tokenizer_(std::move(tokenizer)),
      brackets_(choose_brackets(folder, options.brackets)),
      max_seq_length_(choose_length(folder, options.max_seq_length)) {
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
  const auto around = brackets_ ? kBrackets : static_cast<std::int64_t>(tokenizer_.special_tokens().size());
  if (max_seq_length_ < around + 1) {
    throw UserError(fmt::format("max_seq_length is {}, but at least {} is needed{}", max_seq_length_, around + 1,
                                brackets_    ? ": two brackets and one token between them"
                                : around > 0 ? ": the special tokens of the tokenizer and one of the text"
                                             : ""));
  }
  if (brackets_) {
    query_ = {bracket_id(tokenizer_, folder, "["), bracket_id(tokenizer_, folder, "]")};
    document_ = {bracket_id(tokenizer_, folder, "{"), bracket_id(tokenizer_, folder, "}")};
  }
}

TokenIds TextPreparation::ids(std::string_view text, TextKind kind) const {
  bool cut = false;
  return ids(text, kind, cut);
}

TokenIds TextPreparation::ids(std::string_view text, TextKind kind, bool& cut) const {
  check_utf8(text);
  std::string one_line;  // where the text has several
  if (text.find('\n') != std::string_view::npos) {
    one_line = text;
    std::replace(one_line.begin(), one_line.end(), '\n', ' ');
    text = one_line;
  }
  const SpecialTokens& around = tokenizer_.special_tokens();  // where there are no brackets
  const auto longest = static_cast<std::size_t>(max_seq_length_);
  const std::size_t room = longest - (brackets_ ? std::size_t{kBrackets} : around.size());
  TokenIds ids = tokenizer_.encode(strip(text), room + 1);  // one more tells whether there are more
  cut = ids.size() > room;
  if (cut) ids.erase(tokenizer_.cuts_left() ? ids.begin() : ids.end() - 1);
  if (!brackets_) {
    ids.insert(ids.begin(), around.before.begin(), around.before.end());
    ids.insert(ids.end(), around.behind.begin(), around.behind.end());
    return ids;
  }
  const Pair& pair = kind == TextKind::query ? query_ : document_;
  ids.insert(ids.begin(), pair.open);
  ids.push_back(pair.close);
  return ids;
}

PreparedTexts TextPreparation::prepare(std::span<const std::string> texts, TextKind kind, TextPlaces places) const {
  PreparedTexts result{std::vector<TokenIds>(texts.size()), {}};
  std::vector<char> cut(texts.size());
  parallel_tasks(std::ssize(texts), [&](std::int64_t number) {
    const auto i = static_cast<std::size_t>(number);
    try {
      bool was_cut = false;
      result.ids[i] = ids(texts[i], kind, was_cut);
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
