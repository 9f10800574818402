#include "text/character_class.h"

#include <oniguruma.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "sgpt/error.h"
#include "text/regex.h"

namespace sgpt {

namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// What Unicode 15 and 16 added. `tokenizers` comes with a newer Oniguruma than Debian 12, whose tables end at Unicode
// 14; with these ids are the same wherever we run.
constexpr Range kNewLetters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D4A, 0x10D65},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x1123F, 0x11240}, {0x11380, 0x11389}, {0x1138B, 0x1138B},
    {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3},
    {0x11BC0, 0x11BE0}, {0x11F02, 0x11F02}, {0x11F04, 0x11F10}, {0x11F12, 0x11F33}, {0x1342F, 0x1342F},
    {0x13441, 0x13446}, {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF},
    {0x1B132, 0x1B132}, {0x1B155, 0x1B155}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E06D}, {0x1E4D0, 0x1E4EB},
    {0x1E5D0, 0x1E5ED}, {0x1E5F0, 0x1E5F0}, {0x2B739, 0x2B739}, {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};
constexpr Range kNewNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x11F50, 0x11F59},
                                 {0x16130, 0x16139}, {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1D2C0, 0x1D2D3},
                                 {0x1E4F0, 0x1E4F9}, {0x1E5F1, 0x1E5FA}};
constexpr Range kNewOtherWordCharacters[] = {
    {0x897, 0x897},     {0xCF3, 0xCF3},     {0xECE, 0xECE},     {0x10D40, 0x10D49}, {0x10D69, 0x10D6D},
    {0x10EFC, 0x10EFF}, {0x11241, 0x11241}, {0x113B8, 0x113C0}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5},
    {0x113C7, 0x113CA}, {0x113CC, 0x113D0}, {0x113D2, 0x113D2}, {0x113E1, 0x113E2}, {0x116D0, 0x116E3},
    {0x11BF0, 0x11BF9}, {0x11F00, 0x11F01}, {0x11F03, 0x11F03}, {0x11F34, 0x11F3A}, {0x11F3E, 0x11F42},
    {0x11F50, 0x11F5A}, {0x13440, 0x13440}, {0x13447, 0x13455}, {0x1611E, 0x16139}, {0x16D70, 0x16D79},
    {0x1CCF0, 0x1CCF9}, {0x1E08F, 0x1E08F}, {0x1E4EC, 0x1E4F9}, {0x1E5EE, 0x1E5EF}, {0x1E5F1, 0x1E5FA}};

template <class Table, std::size_t kCount>
void add_ranges(Table& table, const Range (&ranges)[kCount], std::uint8_t bits) {
  for (const Range& range : ranges) {
    for (char32_t code = range.first; code <= range.last; ++code) table[code] |= bits;
  }
}

template <class Table>
void add_ranges(Table& table, OnigCtype type, std::uint8_t bit) {
  OnigCodePoint single_byte_end = 0;
  const OnigCodePoint* ranges = nullptr;  // their number, then first and last of each
  if (ONIGENC_GET_CTYPE_CODE_RANGE(ONIG_ENCODING_UTF8, type, &single_byte_end, &ranges) != 0) {
    throw MachineError("Oniguruma has no table of Unicode character classes: install libonig5 6.9 or later.");
  }
  for (OnigCodePoint i = 0; i < ranges[0]; ++i) {
    const OnigCodePoint last = std::min<OnigCodePoint>(ranges[2 * i + 2], 0x10FFFF);
    for (OnigCodePoint code = ranges[2 * i + 1]; code <= last; ++code) table[code] |= bit;
  }
}

OnigCtype property(std::string name) {
  auto* begin = reinterpret_cast<OnigUChar*>(name.data());
  const int type = ONIG_ENCODING_UTF8->property_name_to_ctype(ONIG_ENCODING_UTF8, begin, begin + name.size());
  if (type < 0) throw MachineError("Oniguruma does not know the Unicode property " + name + ".");
  return static_cast<OnigCtype>(type);
}

}  // namespace

CharacterClasses::CharacterClasses() : table_(std::make_unique<std::array<std::uint8_t, 0x110000>>()) {
  initialize_regex();
  table_->fill(0);
  add_ranges(*table_, ONIGENC_CTYPE_SPACE, space);
  add_ranges(*table_, property("L"), letter);
  add_ranges(*table_, property("N"), number);
  add_ranges(*table_, ONIGENC_CTYPE_WORD, word);
  add_ranges(*table_, kNewLetters, letter | word);
  add_ranges(*table_, kNewNumbers, number);
  add_ranges(*table_, kNewOtherWordCharacters, word);
  (*table_)[0x200C] |= word;
  (*table_)[0x200D] |= word;
}

const CharacterClasses& CharacterClasses::get() {
  static const CharacterClasses classes;
  return classes;
}

}  // namespace sgpt
