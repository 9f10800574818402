// Letters in lower case, by the Unicode tables of the C library.
#pragma once

#include <string>
#include <string_view>

namespace sgpt {

/// Unicode's simple mapping of one character.
char32_t lower_case(char32_t code);

/// A text as Python's str.lower makes it: the simple mapping, but for the Turkish İ, which becomes two characters, and
/// a Σ at the end of a word. The text is valid UTF-8.
std::string lower_case(std::string_view text);

}  // namespace sgpt
