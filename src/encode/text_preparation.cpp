#include "encode/text_preparation.h"

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
      max_seq_length_(options.max_seq_length.value_or(folder.max_seq_length)) {
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
  check_utf8(text);
  const std::string_view stripped = strip(text);
  if (!brackets_) return tokenizer_.encode_with_special_tokens(stripped, static_cast<std::size_t>(max_seq_length_));
  const Pair& pair = kind == TextKind::query ? query_ : document_;
  TokenIds ids = tokenizer_.encode(stripped, static_cast<std::size_t>(max_seq_length_ - kBrackets));
  ids.insert(ids.begin(), pair.open);
  ids.push_back(pair.close);
  return ids;
}

std::vector<TokenIds> TextPreparation::ids(std::span<const std::string> texts, TextKind kind) const {
  std::vector<TokenIds> result(texts.size());
  parallel_tasks(std::ssize(texts), [&](std::int64_t number) {
    const auto i = static_cast<std::size_t>(number);
    try {
      result[i] = ids(texts[i], kind);
    } catch (const UserError& error) {
      throw UserError(fmt::format("text {} of {}: {}", i + 1, texts.size(), error.what()));
    }
  });
  return result;
}

}  // namespace sgpt
