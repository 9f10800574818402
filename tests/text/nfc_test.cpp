// Normalisation form C against known spellings, and against what must hold for every text.
#include "text/nfc.h"

#include <gtest/gtest.h>

#include <string>

#include "support.h"

namespace sgpt {
namespace {

std::string nfc(std::string_view text) {
  std::string buffer;
  return std::string(to_nfc(text, buffer));
}

TEST(Nfc, MarksAreTakenUp) {
  EXPECT_EQ(nfc("e\u0301le\u0300ve"), "élève");
  EXPECT_EQ(nfc("\u0301e"), "\u0301e");
  EXPECT_EQ(nfc("U\u0308\u0304"), "\u01D5");
  EXPECT_EQ(nfc("e\u0323\u0302"), "\u1EC7");
  EXPECT_EQ(nfc("e\u0302\u0323"), "\u1EC7") << "the mark below goes first";
  EXPECT_EQ(nfc("é\u0323"), "\u1EB9\u0301") << "a composed character is taken apart first";
}

TEST(Nfc, AMarkOfTheSameClassIsInTheWay) {
  EXPECT_EQ(nfc("a\u0306\u0301"), "\u1EAF");
  EXPECT_EQ(nfc("x\u0306\u0301"), "x\u0306\u0301");
  EXPECT_EQ(nfc("e\u0308\u0301"), "ë\u0301");
}

TEST(Nfc, SomeAreNeverPutTogetherAgain) {
  EXPECT_EQ(nfc("\u212B"), "\u00C5");                              // Angstrom sign
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093C");                        // excluded
  EXPECT_EQ(nfc("\u0344"), "\u0308\u0301");                        // begins with a mark
  EXPECT_EQ(nfc("\uF900"), "\u8C48");                              // compatibility ideograph
  EXPECT_EQ(nfc("\U0001D160"), "\U0001D158\U0001D165\U0001D16E");  // two steps
  EXPECT_EQ(nfc("\uFB01"), "\uFB01") << "a ligature is equal by compatibility only";
}

TEST(Nfc, HangulIsComputed) {
  EXPECT_EQ(nfc("\u1112\u1161\u11AB\u1100\u1173\u11AF"), "한글");
  EXPECT_EQ(nfc("\uD558\u11AB"), "한");
  EXPECT_EQ(nfc("한\u11AB"), "한\u11AB") << "it has a trailing consonant";
  EXPECT_EQ(nfc("\u1112\u11AB"), "\u1112\u11AB");
  EXPECT_EQ(nfc("\u1112\u1161\u11A7"), "\uD558\u11A7");
}

TEST(Nfc, VowelSignsComposeThoughTheirClassIsZero) {
  EXPECT_EQ(nfc("\u09C7\u09BE"), "\u09CB");
  EXPECT_EQ(nfc("\u0DD9\u0DCF\u0DCA"), "\u0DDD");
  EXPECT_EQ(nfc("\u09C7\u0334\u09BE"), "\u09C7\u0334\u09BE") << "a mark is between";
}

TEST(Nfc, MarksLaterThanUnicode9AreOrdinaryCharacters) {
  EXPECT_EQ(nfc("a\u1AC1\u0323"), "a\u1AC1\u0323");
  EXPECT_EQ(nfc("\U00011935\U00011930"), "\U00011935\U00011930");
}

TEST(Nfc, ATextInFormCIsReturnedAsItIs) {
  const std::string text = "Größe, 東京, 한글, пчёлы 🚀";
  std::string buffer;
  EXPECT_EQ(to_nfc(text, buffer).data(), text.data());
  EXPECT_EQ(nfc(""), "");
}

TEST(Nfc, TwiceIsOnceAndPiecesBetweenPlainLettersAreIndependent) {
  Random random(4);
  for (int i = 0; i < 3000; ++i) {
    std::string left;
    std::string right;
    for (std::string* text : {&left, &right}) {
      for (std::uint32_t n = random.below(12); n > 0; --n) {
        static constexpr char32_t kFirst[] = {0xC0, 0x300, 0x900, 0x1100, 0x1E00, 0x1F00, 0xAC00, 0x1D150};
        append_utf8(*text, kFirst[random.below(8)] + random.below(0x100));
      }
    }
    const std::string once = nfc(left);
    ASSERT_EQ(nfc(once), once) << left;
    ASSERT_EQ(nfc(left + "#" + right), once + "#" + nfc(right)) << left << " # " << right;
  }
}

TEST(Nfc, AMillionMarksTakeNoTimeToSpeakOf) {
  std::string text = "a";
  std::string ordered = "a";
  for (int i = 0; i < 500000; ++i) text += "\u0315\u0334";
  for (int i = 0; i < 500000; ++i) ordered += "\u0334";
  for (int i = 0; i < 500000; ++i) ordered += "\u0315";
  EXPECT_EQ(nfc(text), ordered);
}

}  // namespace
}  // namespace sgpt
