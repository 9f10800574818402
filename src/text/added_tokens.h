// Tokens that are looked for in the raw text before anything else ("added_tokens" of a tokenizer.json): special tokens
// such as
// </s>, and words added later.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/function_ref.h"
#include "text/vocabulary.h"

namespace sgpt {

struct AddedToken {
  std::string content;
  std::uint32_t id = 0;
  std::uint32_t file_id = 0;  // what the file says, where that is another
  bool single_word = false;   // only where no word character is adjacent
  bool lstrip = false;        // takes the white space before it
  bool rstrip = false;        // takes the white space behind it
  bool normalized =
      false;  // looked for after the others, in what they leave (and in normalised text, had we normalisers)
  bool special = false;
};

/// Finds the tokens of a set, leftmost first and of several at one place the longest.
class AddedTokenFinder {
 public:
  /// The contents differ and none is empty. With `splits_special` special tokens are text, though no token begins
  /// within one.
  explicit AddedTokenFinder(std::vector<AddedToken> tokens, bool splits_special = false);

  /// Either a token, or (token null) a stretch of text between tokens, never empty. Returns false to stop.
  using Visit = FunctionRef<bool(std::string_view stretch, const AddedToken* token)>;

  /// Goes through a text (valid UTF-8) from left to right until `visit` returns false; then returns false itself.
  bool for_each_piece(std::string_view text, Visit visit) const;

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;
  bool splits_special_;
  Vocabulary places_;                                  // content → place in tokens_
  std::array<bool, 256> begins_{};                     // does a token begin with this byte?
  std::array<std::vector<std::size_t>, 256> lengths_;  // by the first byte, descending
};

}  // namespace sgpt
