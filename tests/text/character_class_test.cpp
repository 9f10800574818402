// The classes of regular expressions over all code points: numbers and checksums of their members as `tokenizers`
// 0.23.3 (Oniguruma 6.9.10, Unicode 16.0) has them, whatever Oniguruma is installed.
#include "text/character_class.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "sgpt/error.h"
#include "support.h"
#include "text/pattern.h"
#include "text/regex.h"

namespace sgpt {
namespace {

/// All code points but the surrogates, as one text, and where the characters begin.
struct AllCharacters {
  std::string text;
  std::vector<std::size_t> place;  // of each byte: the number of its character

  AllCharacters() {
    std::size_t count = 0;
    for (char32_t code = 0; code < 0x110000; ++code) {
      if (code >= 0xD800 && code < 0xE000) continue;
      append_utf8(text, code);
      place.resize(text.size(), count++);
    }
    place.push_back(count);
  }
};

struct Members {
  const char* pattern;
  std::size_t count;
  unsigned long checksum;  // CRC-32 of a byte for each code point, 1 for those within a match
};

constexpr Members kMembers[] = {
    {R"([[:punct:]])", 9369, 0x6a22b506},
    {R"([[:^punct:]])", 1102695, 0x79b5f40f},
    {R"(\w)", 144671, 0xa35d7b7e},
    {R"([\w])", 144665, 0x4fae16d5},
    {R"(\W)", 967393, 0xb0ca3a77},
    {R"(\p{Word})", 144671, 0xa35d7b7e},
    {R"(\s)", 25, 0x36ab908f},
    {R"(\d)", 760, 0x51cf01fa},
    {R"(\p{L})", 141028, 0x3ec7e79e},
    {R"(\P{L})", 971036, 0x2d50a697},
    {R"(\p{^L})", 971036, 0x2d50a697},
    {R"(\p{Lu})", 1858, 0xc36057b1},
    {R"(\p{N})", 1911, 0xd88324fb},
    {R"(\p{P})", 855, 0xea0123dd},
    {R"(\p{S})", 8514, 0x6c1daa73},
    {R"([[:alpha:]])", 142759, 0x445f4b6f},
    {R"([[:alnum:]])", 143519, 0xf9ae763d},
    {R"([[:upper:]])", 1978, 0xd1bdec8c},
    {R"([[:lower:]])", 2569, 0x78fe98c9},
    {R"([[:graph:]])", 292447, 0xa43260a5},
    {R"([[:print:]])", 292464, 0x9f978515},
    {R"([[:blank:]])", 18, 0x3ba596c2},
    {R"([[:word:]])", 144665, 0x4fae16d5},
    {R"(\p{Han})", 99030, 0xc9d5c75e},
    {R"(\p{Latin})", 1487, 0x049e6f72},
    {R"(\p{C})", 957236, 0x1c849c70},
    {R"([^\s\p{L}\p{N}])", 969100, 0xc37812e3},
    {R"([\p{L}&&[^\p{Lu}]])", 139170, 0x11998c87},
    {R"([a-z\d-])", 787, 0xea4c35bb},
    {R"([]\s])", 26, 0xea3e5fcf},
    {R"((?i)\p{Lu})", 1858, 0xc36057b1},
    {R"((?i)[k\d])", 763, 0xfe50f61c},
    {R"((?x) \s # [\p{L}])", 25, 0x36ab908f},
    {R"((?#[)\d)", 760, 0x51cf01fa},
    {R"(\p{Lower_case-letter})", 2258, 0xbfe19102},
    {R"(\b.)", 1594, 0x1fe8ffdd},
    {R"(.\B)", 1110469, 0x8288d210},
};

TEST(CharacterClasses, HaveTheMembersOfTokenizers) {
  const AllCharacters all;
  for (const Members& expected : kMembers) {
    std::string is_member(all.place.back(), '\0');
    Regex(expected.pattern).for_each_match(all.text, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = all.place[begin]; i < all.place[end]; ++i) is_member[i] = 1;
      return true;
    });
    std::size_t count = 0;
    for (const char member : is_member) count += member != 0;
    const auto* bytes = reinterpret_cast<const Bytef*>(is_member.data());
    EXPECT_EQ(count, expected.count) << expected.pattern;
    EXPECT_EQ(crc32(0, bytes, static_cast<uInt>(is_member.size())), expected.checksum) << expected.pattern;
  }
}

TEST(CharacterClasses, WhatDependsOnUnicodeAndHasNoTableIsRefused) {
  for (const char* pattern : {"\\p{Emoji}", "\\X", "(?W)\\w", "(?i)[\\p{Lu}]", "[^\\p{Age}]"}) {
    EXPECT_THROW(with_own_classes(pattern), UserError) << pattern;
  }
}

TEST(CharacterClasses, ARangeThatEndsInAClassIsMalformedStill) { EXPECT_THROW(Regex("[a-\\w]"), UserError); }

TEST(CharacterClasses, WhatIsNoClassStaysAsItIs) {
  for (const char* pattern : {"(?i:'s|'t)x{1,3}", "\\\\w\\[\\x{20}[a-z&&[^b]]", "(?<name>a)\\k<name>", "\\p"}) {
    EXPECT_EQ(with_own_classes(pattern), pattern);
  }
}

}  // namespace
}  // namespace sgpt
