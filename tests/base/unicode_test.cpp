// White space and validity of UTF-8.
#include "base/unicode.h"

#include <gtest/gtest.h>

#include <string>

namespace sgpt {
namespace {

TEST(Strip, TakesAllOfUnicodesWhiteSpaceAsPythonDoes) {
  EXPECT_EQ(strip("  spaced out\n\ttext  "), "spaced out\n\ttext");
  // NEL, no-break space, ogham space, en quad, line and paragraph separators, narrow and ideographic spaces
  for (const char* space : {"\t", "\v", "\x1c", "\x1f", "\u0085", "\u00a0", "\u1680", "\u2000", "\u2028", "\u2029",
                            "\u202f", "\u205f", "\u3000"}) {
    EXPECT_EQ(strip(std::string(space) + "x" + space), "x");
  }
  for (const char* other : {"\u200b", "\ufeff", "\u180e", "\u2060"}) {  // zero-width: no white space
    EXPECT_EQ(strip(other), other);
  }
  EXPECT_EQ(strip(" \u3000 "), "");
  EXPECT_EQ(strip(""), "");
}

TEST(Utf8, FindsTheFirstInvalidSequence) {
  EXPECT_FALSE(invalid_utf8("naïve café — 東京 🚀"));
  EXPECT_FALSE(invalid_utf8(""));
  EXPECT_EQ(invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(invalid_utf8("é\xc3"), 2u);              // cut short
  EXPECT_EQ(invalid_utf8("\xc0\xaf"), 0u);           // overlong
  EXPECT_EQ(invalid_utf8("a\xed\xa0\x80"), 1u);      // a surrogate
  EXPECT_EQ(invalid_utf8("a\xf4\x90\x80\x80"), 1u);  // past U+10FFFF
  EXPECT_EQ(invalid_utf8("\x80"), 0u);               // a lone continuation
}

}  // namespace
}  // namespace sgpt
