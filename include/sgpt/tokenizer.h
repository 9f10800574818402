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

/// A byte-level BPE tokenizer (BLOOM, GPT-2, GPT-Neo). Immutable after loading; every member function may be called
/// from any number of threads at once. Copies share the tables.
class Tokenizer {
 public:
  /// Reads a tokenizer.json. Throws UserError when the file is missing, broken, or has a part that is not supported
  /// (the part is named).
  static Tokenizer load(const std::filesystem::path& tokenizer_json);

  /// The ids of a UTF-8 text; nothing is added around it. With `max_tokens` the result is the first `max_tokens` ids,
  /// and no more of the text is looked at than they need. Throws UserError on invalid UTF-8 (the byte offset is named).
  std::vector<std::int32_t> encode(std::string_view text,
                                   std::size_t max_tokens = std::numeric_limits<std::size_t>::max()) const;

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
