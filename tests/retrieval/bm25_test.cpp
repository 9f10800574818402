// BM25 by its formula, and what counts as a word.
#include "retrieval/bm25.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sgpt/error.h"

namespace sgpt::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> result;
  for_each_word(text, [&](std::string_view word) { result.emplace_back(word); });
  return result;
}

std::vector<std::int64_t> documents(const std::vector<Hit>& hits) {
  std::vector<std::int64_t> result;
  for (const Hit& hit : hits) result.push_back(hit.document);
  return result;
}

TEST(Bm25, WordsAreRunsOfLettersAndDigitsInLowerCase) {
  EXPECT_THAT(words("The Boundary-Layer's X15, über ÉTÉ!"),
              ElementsAre("the", "boundary", "layer", "s", "x15", "über", "été"));
  EXPECT_THAT(words("東京 hi かな"), ElementsAre("東", "京", "hi", "か", "な"));
  EXPECT_THAT(words("कि ?"), ElementsAre("कि"));
  EXPECT_THAT(words(" ,. "), IsEmpty());
}

TEST(Bm25, TermsAreStemsWithoutStopWords) {
  EXPECT_EQ(term_of("the", {}), "");
  EXPECT_EQ(term_of("wings", {}), "wing");
  EXPECT_EQ(term_of("wings", {.stemming = Stemming::none}), "wings");
  EXPECT_EQ(term_of("the", {.stop_words = StopWords::none}), "the");
}

TEST(Bm25, ScoresAreTheFormulas) {
  Bm25Index index({.k1 = 1.2, .b = 0.75});
  index.add("wings and a wing in the heat");  // wing, wing, heat
  index.add("heated sand");                   // heat, sand
  index.add("sea");
  index.add("of the");
  ASSERT_EQ(index.documents(), 4);
  const auto score = [](double with, double count, double length) {
    const double mean = 6.0 / 4;
    return std::log(1 + (4 - with + 0.5) / (with + 0.5)) * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean));
  };
  const auto hits = index.search("The winged heating, or heat", 10);  // wing, heat twice
  ASSERT_THAT(documents(hits), ElementsAre(0, 1));
  EXPECT_FLOAT_EQ(hits[0].score, static_cast<float>(score(1, 2, 3) + 2 * score(2, 1, 3)));
  EXPECT_FLOAT_EQ(hits[1].score, static_cast<float>(2 * score(2, 1, 2)));
  EXPECT_THAT(index.search("of the unknown", 10), IsEmpty());
}

TEST(Bm25, EqualScoresStandInTheCorpusOrderAndTopKCutsThem) {
  Bm25Index index;
  for (const char* text : {"sand", "sea", "sand", "sand sea"}) index.add(text);
  EXPECT_THAT(documents(index.search("sand", 10)), ElementsAre(0, 2, 3));
  EXPECT_THAT(documents(index.search("sand", 2)), ElementsAre(0, 2));
}

TEST(Bm25, ParametersOutOfRangeAreRefused) {
  EXPECT_THROW(Bm25Index({.k1 = -1}), UserError);
  EXPECT_THROW(Bm25Index({.b = 1.5}), UserError);
  EXPECT_THROW(Bm25Index({.b = std::nan("")}), UserError);
}

}  // namespace
}  // namespace sgpt::testing
