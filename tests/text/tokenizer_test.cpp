// The Tokenizer as its users see it: ids and back, cuts, added tokens, threads, and texts that are out of the ordinary.
#include "sgpt/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "sgpt/error.h"
#include "support.h"

namespace sgpt {
namespace {

using nlohmann::json;
using Ids = std::vector<std::int32_t>;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

json added_token(int id, const char* content, const json& flags = json::object()) {
  json token = {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", false}};
  token.update(flags);
  return token;
}

std::int32_t byte_id(char c) { return 2 + static_cast<unsigned char>(c); }

/// hello → "he" "llo", and longer ones across a space.
const std::vector<std::pair<std::string, std::string>> kMerges = {{"l", "l"}, {"h", "e"},  {"ll", "o"},
                                                                  {" ", "w"}, {" w", "o"}, {"\xE6", "\xBC"}};

TEST(Tokenizer, EncodesAndDecodes) {
  const Tokenizer tokenizer = testing::load(testing::byte_tokenizer(kMerges));
  const Ids ids = tokenizer.encode("hello wo");
  EXPECT_EQ(ids, (Ids{*tokenizer.token_to_id("he"), *tokenizer.token_to_id("llo"), *tokenizer.token_to_id("Ġwo")}));
  EXPECT_EQ(tokenizer.decode(ids), "hello wo");
  EXPECT_EQ(tokenizer.encode(""), Ids{});
  EXPECT_EQ(tokenizer.decode(Ids{}), "");
  EXPECT_EQ(tokenizer.vocab_size(), 258 + static_cast<std::int32_t>(kMerges.size()));
  EXPECT_EQ(tokenizer.token_to_id("</s>"), 1);
  EXPECT_EQ(tokenizer.token_to_id("nothing"), std::nullopt);
}

TEST(Tokenizer, MergesMayBeStringsToo) {
  json as_pairs = testing::byte_tokenizer(kMerges);
  json as_strings = as_pairs;
  for (json& merge : as_strings["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  as_strings["model"]["merges"].insert(as_strings["model"]["merges"].begin(), "#version: 0.2");
  const std::string text = "hello world, 漢字 hello";
  EXPECT_EQ(testing::load(as_strings).encode(text), testing::load(as_pairs).encode(text));
}

TEST(Tokenizer, AnyTextComesBack) {
  const Tokenizer tokenizer = testing::load(testing::byte_tokenizer(kMerges));
  Random random(5);
  for (int i = 0; i < 500; ++i) {
    const std::string text = testing::random_text(random, random.below(60));
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

TEST(Tokenizer, ACutIsThePrefixOfTheWhole) {
  json file = testing::byte_tokenizer(kMerges);
  file["added_tokens"].push_back(added_token(1000, "wor"));
  const Tokenizer tokenizer = testing::load(file);
  Random random(6);
  for (int i = 0; i < 200; ++i) {
    const std::string text = testing::random_text(random, random.below(30)) + "hello world</s>" +
                             testing::random_text(random, random.below(10));
    const Ids whole = tokenizer.encode(text);
    const std::size_t length = random.below(static_cast<std::uint32_t>(whole.size() + 2));
    const auto end = whole.begin() + static_cast<std::ptrdiff_t>(std::min(length, whole.size()));
    ASSERT_EQ(tokenizer.encode(text, length), Ids(whole.begin(), end));
  }
}

TEST(Tokenizer, InvalidUtf8IsRefusedWithItsPlace) {
  const Tokenizer tokenizer = testing::load(testing::byte_tokenizer());
  for (const std::string bytes : {"\xFF", "\xC0\x80", "\xED\xA0\x80", "\xE6\xBC", "\xF4\x90\x80\x80"}) {
    EXPECT_THAT([&] { tokenizer.encode("abc" + bytes); }, ThrowsMessage<UserError>(HasSubstr("byte 3")));
  }
}

TEST(Tokenizer, DecodingHalfACharacterGivesTheReplacementCharacter) {
  const Tokenizer tokenizer = testing::load(testing::byte_tokenizer(kMerges));
  const Ids ids = tokenizer.encode("漢");
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(tokenizer.decode(std::span(ids).first(1)), "\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer.decode(ids), "漢");
}

TEST(Tokenizer, UnknownIdsAreRefused) {
  const Tokenizer tokenizer = testing::load(testing::byte_tokenizer());
  for (const std::int32_t id : {-1, 258, std::numeric_limits<std::int32_t>::max()}) {
    EXPECT_THAT([&] { tokenizer.decode(Ids{5, id}); }, ThrowsMessage<UserError>(HasSubstr(std::to_string(id))));
  }
}

TEST(Tokenizer, AMillionCharactersWithoutASpace) {
  const Tokenizer tokenizer = testing::load(testing::byte_tokenizer({{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}}));
  const std::string text(1'000'003, 'a');
  const Ids ids = tokenizer.encode(text);
  EXPECT_EQ(ids.size(), 125'000u + 2u);
  EXPECT_EQ(tokenizer.decode(ids), text);
  EXPECT_EQ(tokenizer.encode(text, 3), Ids(ids.begin(), ids.begin() + 3));
}

TEST(Tokenizer, AMillionMixedCharacters) {
  const Tokenizer tokenizer = testing::load(testing::byte_tokenizer(kMerges));
  Random random(7);
  std::string text;
  while (text.size() < 1'000'000) text += testing::random_text(random, 1000);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(Tokenizer, ManyThreadsGetTheSame) {
  const Tokenizer tokenizer = testing::load(testing::byte_tokenizer(kMerges));
  Random random(8);
  std::vector<std::string> texts;
  std::vector<Ids> expected;
  for (int i = 0; i < 200; ++i) {
    texts.push_back(testing::random_text(random, 50));
    expected.push_back(tokenizer.encode(texts.back()));
  }
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i) count += tokenizer.encode(texts[i]) != expected[i];
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, (std::vector<int>{0, 0, 0, 0}));
}

// ---- added tokens
// ----------------------------------------------------------------------------------------------------

TEST(AddedTokens, AreFoundInTheRawTextLongestFirst) {
  json file = testing::byte_tokenizer();
  file["added_tokens"].push_back(added_token(258, "ab"));
  file["added_tokens"].push_back(added_token(259, "abc"));
  const Tokenizer tokenizer = testing::load(file);
  EXPECT_EQ(tokenizer.encode("xab</s>abcd"), (Ids{byte_id('x'), 258, 1, 259, byte_id('d')}));
  EXPECT_EQ(tokenizer.decode(Ids{258, 1, 259}), "ab</s>abc");
  EXPECT_EQ(tokenizer.vocab_size(), 260);
}

TEST(AddedTokens, StripWhiteSpaceWhereAsked) {
  json file = testing::byte_tokenizer();
  file["added_tokens"].push_back(added_token(258, "<l>", {{"lstrip", true}}));
  file["added_tokens"].push_back(added_token(259, "<r>", {{"rstrip", true}}));
  const Tokenizer tokenizer = testing::load(file);
  EXPECT_EQ(tokenizer.encode("a \u3000<l> <r>\t\n b"), (Ids{byte_id('a'), 258, byte_id(' '), 259, byte_id('b')}));
  EXPECT_EQ(tokenizer.encode("<r>  <l>"), (Ids{259, 258}));
}

TEST(AddedTokens, SingleWordsHaveNoWordCharacterBesideThem) {
  json file = testing::byte_tokenizer();
  file["added_tokens"].push_back(added_token(258, "ab", {{"single_word", true}}));
  const Tokenizer tokenizer = testing::load(file);
  EXPECT_EQ(tokenizer.encode("ab"), Ids{258});
  EXPECT_EQ(tokenizer.encode("-ab."), (Ids{byte_id('-'), 258, byte_id('.')}));
  EXPECT_EQ(tokenizer.encode("abé").front(), byte_id('a'));
  EXPECT_EQ(tokenizer.encode("_ab").back(), byte_id('b'));
  EXPECT_EQ(tokenizer.encode("1ab").back(), byte_id('b'));
}

TEST(AddedTokens, NormalizedOnesComeAfterTheOthers) {
  json file = testing::byte_tokenizer();
  file["added_tokens"].push_back(added_token(258, "abc", {{"normalized", true}}));
  file["added_tokens"].push_back(added_token(259, "bc"));
  const Tokenizer tokenizer = testing::load(file);
  EXPECT_EQ(tokenizer.encode("abc"), (Ids{byte_id('a'), 259}));
}

// ---- without bytes
// ---------------------------------------------------------------------------------------------------

TEST(Tokenizer, WithoutByteLevelWordsAreCharacters) {
  json file = testing::byte_tokenizer();
  file["pre_tokenizer"] = nullptr;
  file["decoder"] = nullptr;
  file["model"]["vocab"] = {{"é", 0}, {"漢", 1}, {"é漢", 2}, {" ", 3}};
  file["model"]["merges"] = json::array({json::array({"é", "漢"})});
  file["added_tokens"] = json::array();
  const Tokenizer tokenizer = testing::load(file);
  EXPECT_EQ(tokenizer.encode("é漢 ?漢"), (Ids{2, 3, 1}));  // what the vocabulary lacks is left out
  EXPECT_EQ(tokenizer.decode(Ids{2, 1}), "é漢 漢");
}

}  // namespace
}  // namespace sgpt
