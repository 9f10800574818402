// The hand-written scanners against the regular-expression engine.
#include "text/word_scanner.h"

#include <gtest/gtest.h>

#include "support.h"
#include "text/pre_tokenizer.h"

namespace sgpt {
namespace {

using Words = std::vector<std::string>;

Words words_of(const PreTokenizer& pre_tokenizer, std::string_view text) {
  Words words;
  pre_tokenizer.for_each_word(text, [&](std::string_view word) {
    words.emplace_back(word);
    return true;
  });
  return words;
}

PreTokenizer splitter(std::string_view pattern, bool by_engine) {
  PreTokenizer result;
  if (by_engine) {
    result.add_split_by_engine(pattern, SplitBehavior::isolated, false);
  } else {
    result.add_split(pattern, SplitBehavior::isolated, false);
  }
  return result;
}

TEST(WordScanner, BloomPatternAsTheEngineSplits) {
  const PreTokenizer scanner = splitter(kBloomPattern, false);
  const PreTokenizer engine = splitter(kBloomPattern, true);
  Random random(1);
  for (int i = 0; i < 4000; ++i) {
    const std::string text = testing::random_text(random, 1 + random.below(40));
    ASSERT_EQ(words_of(scanner, text), words_of(engine, text)) << text;
  }
}

TEST(WordScanner, Gpt2PatternAsTheEngineSplits) {
  const PreTokenizer scanner = splitter(kGpt2Pattern, false);
  const PreTokenizer engine = splitter(kGpt2Pattern, true);
  Random random(2);
  for (int i = 0; i < 4000; ++i) {
    const std::string text = testing::random_text(random, 1 + random.below(40));
    ASSERT_EQ(words_of(scanner, text), words_of(engine, text)) << text;
  }
}

/// random_text() with contractions of either case, and the characters that these patterns care about.
std::string todays_text(Random& random) {
  static constexpr std::string_view kTelling[] = {"'S",
                                                  "'re",
                                                  "'VE",
                                                  "'lL",
                                                  "'\u017F",
                                                  "'\u017Ft",
                                                  "\r\n",
                                                  "\n ",
                                                  "\u2028",
                                                  "123",
                                                  "\u0661\u0662\u0663\u0664",
                                                  "\uFB05",
                                                  "'\uFB05",
                                                  "\u0149",
                                                  " .\n",
                                                  "\t"};
  std::string text;
  const std::uint32_t parts = 1 + random.below(8);
  for (std::uint32_t i = 0; i < parts; ++i) {
    text += random.below(2) == 0 ? std::string(kTelling[random.below(std::size(kTelling))])
                                 : testing::random_text(random, random.below(6));
  }
  return text;
}

TEST(WordScanner, PatternsOfTodayAsTheEngineSplits) {
  for (const std::string_view pattern : {kLlama3Pattern, kQwenPattern}) {
    const PreTokenizer scanner = splitter(pattern, false);
    const PreTokenizer engine = splitter(pattern, true);
    Random random(3);
    for (int i = 0; i < 8000; ++i) {
      const std::string text = todays_text(random);
      ASSERT_EQ(words_of(scanner, text), words_of(engine, text)) << text;
    }
  }
}

TEST(WordScanner, StopsWhenAsked) {
  for (const std::string_view pattern : {kBloomPattern, kGpt2Pattern, kLlama3Pattern, kQwenPattern}) {
    for (const bool by_engine : {false, true}) {
      int seen = 0;
      const bool finished = splitter(pattern, by_engine).for_each_word("one two, three four", [&](std::string_view) {
        return ++seen < 2;
      });
      EXPECT_FALSE(finished);
      EXPECT_EQ(seen, 2);
    }
  }
}

TEST(WordScanner, KnownSplits) {
  EXPECT_EQ(words_of(splitter(kBloomPattern, false), "Hi  you, (me|us)!"),
            (Words{"Hi", " ", " you", ", (", "me", "|", "us", ")!"}));
  EXPECT_EQ(words_of(splitter(kGpt2Pattern, false), "I'll  go 12x \n ok's  "),
            (Words{"I", "'ll", " ", " go", " 12", "x", " \n", " ok", "'s", "  "}));
  EXPECT_EQ(
      words_of(splitter(kLlama3Pattern, false), "I'LL  go\t(now) 1234 \n\n it'\u017F...\n "),
      (Words{"I", "'LL", " ", " go", "\t", "(now", ")", " ", "123", "4", " \n\n", " it", "'\u017F", "...\n", " "}));
  EXPECT_EQ(words_of(splitter(kQwenPattern, false), "in 1234"), (Words{"in", " ", "1", "2", "3", "4"}));
}

}  // namespace
}  // namespace sgpt
