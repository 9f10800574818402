#include "cli/one_line.h"

#include <array>

#include "base/unicode.h"

namespace sgpt::cli {
namespace {

/// Controls (which could command the terminal), line separators and the usual spaces.
bool is_gap(char32_t c) {
  return c <= 0x20 || (c >= 0x7f && c <= 0xa0) || (c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0x3000 || c == 0xfeff;
}

/// Columns on a terminal, after the blocks of Unicode's East Asian Width.
std::size_t columns_of_character(char32_t c) {
  struct Range {
    char32_t first;
    char32_t last;
  };
  constexpr std::array<Range, 4> kCombining{{{0x300, 0x36f}, {0x1ab0, 0x1aff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}}};
  constexpr std::array<Range, 8> kWide{{{0x1100, 0x115f},
                                        {0x2e80, 0xa4cf},
                                        {0xac00, 0xd7a3},
                                        {0xf900, 0xfaff},
                                        {0xfe30, 0xfe6f},
                                        {0xff00, 0xff60},
                                        {0x1f300, 0x1faff},
                                        {0x20000, 0x3fffd}}};
  for (const Range range : kCombining) {
    if (c >= range.first && c <= range.last) return 0;
  }
  for (const Range range : kWide) {
    if (c >= range.first && c <= range.last) return 2;
  }
  return 1;
}

}  // namespace

std::string one_line(std::string_view text, std::size_t width) {
  std::string line;
  std::size_t used = 0;
  std::size_t cut = 0;  // where the line ends when "…" must follow
  bool gap = false;
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    const std::string_view bytes = text.substr(0, character.bytes);
    text.remove_prefix(character.bytes);
    if (is_gap(character.code)) {
      gap = !line.empty();
      continue;
    }
    const std::size_t columns = columns_of_character(character.code) + (gap ? 1 : 0);
    if (used + columns > width) return width == 0 ? "" : line.substr(0, cut) + "…";
    if (gap) line += ' ';
    line += bytes;
    used += columns;
    gap = false;
    if (used < width) cut = line.size();
  }
  return line;
}

std::size_t columns_of(std::string_view line) {
  std::size_t columns = 0;
  while (!line.empty()) {
    const Utf8Character character = first_character(line);
    columns += columns_of_character(character.code);
    line.remove_prefix(character.bytes);
  }
  return columns;
}

}  // namespace sgpt::cli
