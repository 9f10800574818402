// Texts to token ids and back, as the `tokenizers` library does with the same tokenizer.json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sgpt {

/// What a tokenizer puts around a text (its post-processor; add_special_tokens in transformers): <s> before it, say,
/// and
/// </s> behind. Most byte-level tokenizers put nothing.
struct SpecialTokens {
  std::vector<std::int32_t> before = {};
  std::vector<std::int32_t> behind = {};

  std::size_t size() const { return before.size() + behind.size(); }
};

/// A byte-level BPE tokenizer (BLOOM, GPT-2, GPT-Neo). Immutable after loading; every member function may be called
/// from any number of threads at once. Copies share the tables.
class Tokenizer {
 public:
  /// Reads a tokenizer.json alone, as `tokenizers` does; or a folder's, with the files beside it that transformers
  /// takes tokens and settings from (tokenizer_config.json, special_tokens_map.json, added_tokens.json). Throws
  /// UserError when a file is missing, broken, or has a part that is not supported (the part is named).
  static Tokenizer load(const std::filesystem::path& tokenizer_json_or_folder);

  /// The ids of a UTF-8 text; nothing is added around it. With `max_tokens` the result is the first `max_tokens` ids,
  /// and no more of the text is looked at than they need; or the last ones, for a tokenizer whose truncation_side is
  /// left. Throws UserError on invalid UTF-8 (the byte offset is named).
  std::vector<std::int32_t> encode(std::string_view text,
                                   std::size_t max_tokens = std::numeric_limits<std::size_t>::max()) const;

  /// Whether `max_tokens` keeps the last ids instead of the first.
  bool cuts_left() const;

  /// What stands around a text where special tokens are wanted.
  const SpecialTokens& special_tokens() const;

  /// The same with special_tokens() around, which `max_tokens` includes: the text is cut, they are not. Throws
  /// UserError also when they alone are more.
  std::vector<std::int32_t> encode_with_special_tokens(
      std::string_view text, std::size_t max_tokens = std::numeric_limits<std::size_t>::max()) const;

  /// The text of the ids, special tokens included; bytes that are no valid UTF-8 become U+FFFD, as `tokenizers` does.
  /// Throws UserError on an id that is not in the vocabulary.
  std::string decode(std::span<const std::int32_t> ids) const;

  /// Number of ids, added tokens included: every id is below it.
  std::int32_t vocab_size() const;

  /// The id of a token as it stands in the vocabulary (for byte-level tokens: in the byte alphabet's letters).
  std::optional<std::int32_t> token_to_id(std::string_view token) const;

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace sgpt
