// Which characters are white space, letters, numbers and so on: by tables of our own (Unicode 16.0, as in `tokenizers`
// 0.23), the same on every machine, for hand-written scanning and regular expressions alike.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "text/character_tables.h"

namespace sgpt {

/// Ascending, neither overlapping nor adjacent.
using CodeSet = std::vector<CodeRange>;

/// The members of \p{name}: a general category (L, Lu, Uppercase_Letter), a script (Han), or one of the classes Alnum,
/// Alpha, Any, ASCII, Assigned, Blank, Graph, Lower, PosixPunct, Print, Space, Upper, Word, XDigit. Nothing for a name
/// that is not known. Case, spaces, - and _ in a name do not count.
std::optional<CodeSet> property_members(std::string_view name);

class CharacterClasses {
 public:
  enum Bit : std::uint8_t {
    space = 1,   ///< \s: White_Space
    letter = 2,  ///< \p{L}
    number = 4,  ///< \p{N}
    word = 8,    ///< [[:word:]] and the two joiners U+200C, U+200D
  };

  /// The one table, made at the first call and constant from then on.
  static const CharacterClasses& get();

  std::uint8_t of(char32_t code) const { return (*table_)[code]; }
  bool is_space(char32_t code) const { return (of(code) & space) != 0; }
  bool is_word(char32_t code) const { return (of(code) & word) != 0; }

 private:
  CharacterClasses();
  std::unique_ptr<std::array<std::uint8_t, 0x110000>> table_;
};

}  // namespace sgpt
