// Which characters are white space, letters, numbers and word characters, as Oniguruma's tables have it, so that
// hand-written scanning and regular expressions agree on every code point.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

namespace sgpt {

class CharacterClasses {
 public:
  enum Bit : std::uint8_t {
    space = 1,   ///< \s: White_Space
    letter = 2,  ///< \p{L}
    number = 4,  ///< \p{N}
    word = 8,    ///< \w and the two joiners U+200C, U+200D
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
