// UTF-8: its characters, is it valid, and what is white space. (The tokenizer steps through text that is known to be
// valid with text/utf8.h, which looks at nothing twice.)
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sgpt {

struct Utf8Character {
  char32_t code;      ///< U+FFFD where the bytes are none
  std::size_t bytes;  ///< that belong together; of an invalid sequence, its maximal subpart (Unicode, section 3.9)
  bool valid;
};
constexpr char32_t kReplacement = 0xfffd;

/// The character that a text (not empty) begins with, by the table of well-formed sequences (Unicode 15, table 3-7).
Utf8Character first_character(std::string_view text);

/// The byte offset of the first invalid sequence, or nothing when all is valid UTF-8.
std::optional<std::size_t> invalid_utf8(std::string_view text);

/// Without leading and trailing white space, all of Unicode's as Python's str.strip takes it. The text is valid UTF-8.
std::string_view strip(std::string_view text);

}  // namespace sgpt
