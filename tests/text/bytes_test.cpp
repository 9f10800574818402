// The byte alphabet, and bytes that are no UTF-8.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace sgpt {
namespace {

TEST(ByteAlphabet, EveryByteHasALetterOfItsOwnAndComesBack) {
  std::set<char32_t> letters;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t letter = letter_of_byte(static_cast<unsigned char>(byte));
    EXPECT_TRUE(letters.insert(letter).second);
    EXPECT_EQ(byte_of_letter(letter), static_cast<unsigned char>(byte));
  }
  EXPECT_EQ(letters_of(" \n\xAD"),
            "Ġ"
            "Ċ"
            "Ń");
  EXPECT_FALSE(byte_of_letter(U' '));
  EXPECT_FALSE(byte_of_letter(U'漢'));
}

TEST(ByteAlphabet, TokensWithOtherCharactersStandForThemselves) {
  std::string bytes = "x";
  append_bytes_of("Ġa", bytes);
  append_bytes_of("Ġ漢", bytes);
  EXPECT_EQ(bytes, "x aĠ漢");
}

TEST(LossyUtf8, ReplacesMaximalSubparts) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(lossy_utf8(""), "");
  EXPECT_EQ(lossy_utf8("aé漢🚀"), "aé漢🚀");
  EXPECT_EQ(lossy_utf8("\x80"
                       "a\xFF"),
            r + "a" + r);
  EXPECT_EQ(lossy_utf8("\xC0\xAF"), r + r);  // over-long
  EXPECT_EQ(lossy_utf8("\xE6\xBC"
                       "a"),
            r + "a");                                        // cut short: one for the two bytes
  EXPECT_EQ(lossy_utf8("\xE6\xBC"), r);                      // … also at the end
  EXPECT_EQ(lossy_utf8("\xED\xA0\x80"), r + r + r);          // a surrogate
  EXPECT_EQ(lossy_utf8("\xF0\x9F\x9A"), r);                  // three of four bytes
  EXPECT_EQ(lossy_utf8("\xF4\x90\x80\x80"), r + r + r + r);  // past U+10FFFF
  EXPECT_EQ(lossy_utf8("\xF0\x80\x80"
                       "x"),
            r + r + r + "x");
  EXPECT_EQ(lossy_utf8("\xE6\xBC\xE6\xBC\xA2"), r + "漢");
}

}  // namespace
}  // namespace sgpt
