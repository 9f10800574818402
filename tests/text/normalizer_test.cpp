// The steps of a normalizer, and their order.
#include "text/normalizer.h"

#include <gtest/gtest.h>

#include <string>

#include "sgpt/error.h"
#include "support.h"

namespace sgpt {
namespace {

std::string applied(const Normalizer& normalizer, std::string_view text) {
  Normalizer::Buffers buffers;
  return std::string(normalizer.apply(text, buffers));
}

TEST(Normalizer, WithoutStepsTheTextIsReturnedAsItIs) {
  const std::string text = "e\u0301";
  Normalizer::Buffers buffers;
  EXPECT_EQ(Normalizer().apply(text, buffers).data(), text.data());
}

TEST(Normalizer, StepsFollowOneAnother) {
  Normalizer normalizer;
  normalizer.add_prepend("_");
  normalizer.add_replace(std::string(" "), "__");
  normalizer.add_nfc();
  normalizer.add_replace(Regex("[0-9]+"), "N");
  EXPECT_EQ(applied(normalizer, "e\u0301 12 b"), "_é__N__b");
  EXPECT_EQ(applied(normalizer, "b"), "_b");
  EXPECT_EQ(applied(normalizer, ""), "") << "nothing is put before an empty text";
}

TEST(Normalizer, AReplacementIsNotLookedAtAgain) {
  Normalizer normalizer;
  normalizer.add_replace(std::string("aa"), "a");
  EXPECT_EQ(applied(normalizer, "aaaaa"), "aaa");
  Normalizer by_pattern;
  by_pattern.add_replace(Regex("x*"), "-");
  EXPECT_EQ(applied(by_pattern, "axxb"), "-a-b-");
}

TEST(Normalizer, TokensLookedForInNormalisedTextAreNormalisedThemselves) {
  auto file = testing::byte_tokenizer();
  file["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", "-"}}}, {"content", "+"}};
  file["added_tokens"].push_back({{"id", 258}, {"content", "a-b"}, {"normalized", true}, {"special", false}});
  file["added_tokens"].push_back({{"id", 259}, {"content", "c-d"}, {"normalized", false}, {"special", false}});
  const Tokenizer tokenizer = testing::load(file);
  using Ids = std::vector<std::int32_t>;
  EXPECT_EQ(tokenizer.encode("a-b"), Ids{258});
  EXPECT_EQ(tokenizer.encode("a+b"), Ids{258});
  EXPECT_EQ(tokenizer.encode("c-d"), Ids{259});
  EXPECT_EQ(tokenizer.encode("c+d"), (Ids{2 + 'c', 2 + '+', 2 + 'd'}));
  EXPECT_EQ(tokenizer.encode("-"), Ids{2 + '+'});
}

}  // namespace
}  // namespace sgpt
