// Splitting in all its behaviours, with what `tokenizers` gives for the same settings.
#include "text/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sgpt/error.h"

namespace sgpt {
namespace {

using Words = std::vector<std::string>;

Words split(std::string_view pattern, SplitBehavior behavior, bool invert, std::string_view text) {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add_split(pattern, behavior, invert);
  Words words;
  pre_tokenizer.for_each_word(text, [&](std::string_view word) {
    words.emplace_back(word);
    return true;
  });
  return words;
}

TEST(PreTokenizer, EachBehaviourOfSplit) {
  const std::string_view text = "-the--final-";
  EXPECT_EQ(split("-", SplitBehavior::isolated, false, text), (Words{"-", "the", "-", "-", "final", "-"}));
  EXPECT_EQ(split("-", SplitBehavior::removed, false, text), (Words{"the", "final"}));
  EXPECT_EQ(split("-", SplitBehavior::merged_with_previous, false, text), (Words{"-", "the-", "-", "final-"}));
  EXPECT_EQ(split("-", SplitBehavior::merged_with_next, false, text), (Words{"-the", "-", "-final", "-"}));
  EXPECT_EQ(split("-", SplitBehavior::contiguous, false, text), (Words{"-", "the", "--", "final", "-"}));
}

TEST(PreTokenizer, InvertedSplitsTakeTheRestForMatches) {
  const std::string_view text = "ab-cd";
  EXPECT_EQ(split("-", SplitBehavior::removed, true, text), (Words{"-"}));
  EXPECT_EQ(split("-", SplitBehavior::merged_with_previous, true, text), (Words{"ab", "-cd"}));
  EXPECT_EQ(split("-", SplitBehavior::merged_with_next, true, text), (Words{"ab-", "cd"}));
}

TEST(PreTokenizer, EmptyMatchesNeitherLoopNorGiveEmptyWords) {
  EXPECT_EQ(split("x*", SplitBehavior::isolated, false, "axxb"), (Words{"a", "xx", "b"}));
  EXPECT_EQ(split("$|", SplitBehavior::removed, false, "äb"), (Words{"ä", "b"}));
}

TEST(PreTokenizer, APrefixSpaceComesBeforeEveryPiece) {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add_split(",", SplitBehavior::removed, false);
  pre_tokenizer.set_byte_level(true, false);
  Words words;
  pre_tokenizer.for_each_word("a, b,c", [&](std::string_view word) {
    words.emplace_back(word);
    return true;
  });
  EXPECT_EQ(words, (Words{" a", " b", " c"}));
}

TEST(PreTokenizer, LiteralPatternsAreEscaped) {
  EXPECT_EQ(split(escaped_pattern("a.b|"), SplitBehavior::isolated, false, "axb|a.b|c"), (Words{"axb|", "a.b|", "c"}));
}

TEST(Regex, AMalformedPatternIsRefused) {
  try {
    const Regex regex("[a-");
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("[a-"), std::string::npos) << error.what();
  }
}

TEST(Regex, RunawayBacktrackingEndsWithAnError) {
  const Regex regex("(a|aa)+$");
  const std::string text(200, 'a');
  EXPECT_THROW(regex.for_each_match(text + "b", [](std::size_t, std::size_t) { return true; }), UserError);
}

}  // namespace
}  // namespace sgpt
