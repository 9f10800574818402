// The hand-written scanners against the regular-expression engine, and the classes of characters that they use.
#include "text/word_scanner.h"

#include <gtest/gtest.h>

#include "support.h"
#include "text/character_class.h"
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
  result.add_split(pattern, SplitBehavior::isolated, false);
  if (by_engine) result.disable_scanners();
  return result;
}

/// Of \p{L}, \p{N}, \s and \w: which the engine sees in a character.
std::uint8_t classes_by_engine(const std::vector<Regex>& kinds, char32_t code) {
  std::string character;
  append_utf8(character, code);
  std::uint8_t bits = 0;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    kinds[i].for_each_match(character, [&](std::size_t, std::size_t) {
      bits |= static_cast<std::uint8_t>(1u << i);
      return false;
    });
  }
  return bits;
}

std::vector<Regex> class_patterns() {
  std::vector<Regex> kinds;
  for (const char* pattern : {"\\s", "\\p{L}", "\\p{N}", "\\w"}) kinds.emplace_back(pattern);
  return kinds;
}

/// Letters and numbers younger than the engine's tables: there the scanner knows better.
bool is_newer_than_engine(const std::vector<Regex>& kinds, char32_t code) {
  constexpr std::uint8_t kSplitting = CharacterClasses::space | CharacterClasses::letter | CharacterClasses::number;
  return (CharacterClasses::get().of(code) & kSplitting) != (classes_by_engine(kinds, code) & kSplitting);
}

TEST(CharacterClasses, HoldWhatTheEngineSaysAndLittleMore) {
  const auto kinds = class_patterns();
  const CharacterClasses& classes = CharacterClasses::get();
  std::size_t newer = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    const std::uint8_t engine = classes_by_engine(kinds, code);
    if (engine == classes.of(code)) continue;
    ASSERT_EQ(engine & 7, engine & 7 & classes.of(code)) << "U+" << std::hex << static_cast<unsigned>(code);
    ASSERT_EQ(classes.is_space(code), (engine & CharacterClasses::space) != 0);
    ++newer;
  }
  EXPECT_LT(newer, 11000u);
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
  const auto kinds = class_patterns();
  Random random(2);
  for (int i = 0; i < 4000; ++i) {
    std::string text;
    const std::string drawn = testing::random_text(random, 1 + random.below(40));
    for (std::size_t at = 0; at < drawn.size();) {
      const char32_t code = next_code_point(drawn, at);
      if (!is_newer_than_engine(kinds, code)) append_utf8(text, code);
    }
    ASSERT_EQ(words_of(scanner, text), words_of(engine, text)) << text;
  }
}

TEST(WordScanner, StopsWhenAsked) {
  for (const std::string_view pattern : {kBloomPattern, kGpt2Pattern}) {
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
}

}  // namespace
}  // namespace sgpt
