// Brackets, stripping and cutting.
#include "encode/text_preparation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "encode/batching.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TextPreparationTest : public ::testing::Test {
 protected:
  TextPreparationTest() {
    testing::write_tiny_model(folder_.path(), {.max_seq_length = 8});
    model_ = read_model_folder(folder_.path());
  }
  TextPreparation prepare(TextPreparation::Options options) {
    return {Tokenizer::load(model_.tokenizer_file()), model_, options};
  }
  std::int32_t id(std::string_view token) { return *Tokenizer::load(model_.tokenizer_file()).token_to_id(token); }

  /// What goes wrong with these options; "" when nothing does.
  std::string failure(TextPreparation::Options options) {
    try {
      prepare(options);
      return "";
    } catch (const UserError& error) {
      return error.what();
    }
  }

  testing::TempFolder folder_;
  ModelFolder model_;
};

TEST_F(TextPreparationTest, PutsBracketsAroundTokensAsIdsOfTheirOwn) {
  const TextPreparation preparation = prepare({.brackets = true});
  EXPECT_THAT(preparation.ids("the", TextKind::query), ElementsAre(id("["), id("the"), id("]")));
  EXPECT_THAT(preparation.ids("the", TextKind::document), ElementsAre(id("{"), id("the"), id("}")));
}

TEST_F(TextPreparationTest, StripsWhiteSpaceOfAllKinds) {
  const TextPreparation preparation = prepare({.brackets = false});
  EXPECT_THAT(preparation.ids(" \t\r\n\u00a0\u3000the\u2003\u0085\x1c", TextKind::query), ElementsAre(id("the")));
}

TEST_F(TextPreparationTest, CutsSoThatBracketsFit) {
  const std::string text = "xxxxxxxxxxxxxxxx";
  const TokenIds bracketed = prepare({.brackets = true}).ids(text, TextKind::query);
  EXPECT_EQ(bracketed.size(), 8u);
  EXPECT_EQ(bracketed.back(), id("]"));
  EXPECT_EQ(prepare({.brackets = false}).ids(text, TextKind::query).size(), 8u);
  EXPECT_EQ(prepare({.brackets = true, .max_seq_length = 3}).ids(text, TextKind::query).size(), 3u);
  EXPECT_EQ(prepare({.brackets = false, .max_seq_length = 1}).ids(text, TextKind::query).size(), 1u);
}

TEST_F(TextPreparationTest, AnEmptyTextIsItsBracketsOrNothing) {
  EXPECT_THAT(prepare({.brackets = true}).ids("", TextKind::query), ElementsAre(id("["), id("]")));
  EXPECT_THAT(prepare({.brackets = true}).ids(" \n", TextKind::document), ElementsAre(id("{"), id("}")));
  EXPECT_THAT(prepare({.brackets = false}).ids("  ", TextKind::query), IsEmpty());
}

TEST_F(TextPreparationTest, PutsTheTokenizersSpecialTokensAroundWhereBracketsAreOff) {
  const auto path = model_.tokenizer_file();
  nlohmann::json tokenizer = nlohmann::json::parse(std::ifstream(path));
  const nlohmann::json end = tokenizer["added_tokens"][0];
  tokenizer["post_processor"] = {
      {"type", "RobertaProcessing"}, {"cls", {end["content"], end["id"]}}, {"sep", {end["content"], end["id"]}}};
  std::ofstream(path) << tokenizer;
  const auto around = end["id"].get<std::int32_t>();
  EXPECT_THAT(prepare({.brackets = false}).ids("the", TextKind::query), ElementsAre(around, id("the"), around));
  EXPECT_THAT(prepare({.brackets = false}).ids(" ", TextKind::query), ElementsAre(around, around));
  EXPECT_THAT(prepare({.brackets = true}).ids("the", TextKind::query), ElementsAre(id("["), id("the"), id("]")));
  const TokenIds cut = prepare({.brackets = false}).ids("xxxxxxxxxxxxxxxx", TextKind::query);
  EXPECT_EQ(cut.size(), 8u);
  EXPECT_EQ(cut.back(), around);
  EXPECT_THAT(failure({.brackets = false, .max_seq_length = 2}), HasSubstr("at least 3"));
}

TEST_F(TextPreparationTest, CutsOnTheSideThatTheTokenizerNames) {
  const auto path = model_.tokenizer_file();
  nlohmann::json tokenizer = nlohmann::json::parse(std::ifstream(path));
  tokenizer["truncation"] = {{"direction", "Left"}, {"max_length", 3}, {"strategy", "LongestFirst"}, {"stride", 0}};
  std::ofstream(path) << tokenizer;
  EXPECT_THAT(prepare({.brackets = false, .max_seq_length = 1}).ids("xthe", TextKind::query), ElementsAre(id("the")));
  EXPECT_THAT(prepare({.brackets = true, .max_seq_length = 3}).ids("xthe", TextKind::query),
              ElementsAre(id("["), id("the"), id("]")));
}

TEST_F(TextPreparationTest, CutsAtTheEndThatTheCallerChooses) {
  const TextPreparation preparation = prepare({.brackets = true});
  const auto cut_at = [&](const std::string& text, CutEnd end) {
    bool cut = false;
    const TokenIds ids = preparation.ids(text, TextKind::query, end, cut);
    EXPECT_EQ(cut, preparation.uncut_tokens(text, TextKind::query) > 8) << text;
    return ids;
  };
  const std::string text = " a\nthe.x.x.x.x.x.x";  // line ends and space as everywhere
  const TokenIds whole = prepare({.brackets = true, .max_seq_length = 100}).ids(text, TextKind::query);
  EXPECT_EQ(preparation.uncut_tokens(text, TextKind::query), std::ssize(whole));
  TokenIds right(whole.begin(), whole.begin() + 7), left(whole.end() - 7, whole.end());
  right.push_back(whole.back());
  left.insert(left.begin(), whole.front());
  EXPECT_EQ(cut_at(text, CutEnd::right), right);
  EXPECT_EQ(cut_at(text, CutEnd::own), right);
  EXPECT_EQ(cut_at(text, CutEnd::left), left);
  EXPECT_EQ(cut_at("the", CutEnd::left), preparation.ids("the", TextKind::query));
}

TEST_F(TextPreparationTest, TakesFromTheFolderWhatIsNotSaid) {
  model_.brackets = true;
  EXPECT_TRUE(prepare({}).brackets());
  EXPECT_FALSE(prepare({.brackets = false}).brackets());
  EXPECT_EQ(prepare({}).max_seq_length(), 8);
  model_.brackets.reset();
  EXPECT_FALSE(prepare({}).brackets());
}

TEST_F(TextPreparationTest, ManyTextsAreAsOneByOne) {
  const TextPreparation preparation = prepare({.brackets = true});
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i) texts.push_back(std::string(static_cast<std::size_t>(i % 11), 'a') + " the thing");
  const std::vector<TokenIds> ids = preparation.ids(texts, TextKind::document);
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(ids[i], preparation.ids(texts[i], TextKind::document));
}

TEST_F(TextPreparationTest, NamesTheFirstTextThatIsNoUtf8) {
  const TextPreparation preparation = prepare({.brackets = true});
  std::vector<std::string> texts(200, "fine");
  texts[41] = "bad \xff";
  texts[150] = "\xc3";
  try {
    preparation.ids(texts, TextKind::query);
    FAIL() << "invalid UTF-8 was accepted";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("text 42 of 200"));
    EXPECT_THAT(error.what(), HasSubstr("byte 4"));
  }
}

TEST_F(TextPreparationTest, RefusesALengthWithoutRoomForAToken) {
  EXPECT_THAT(failure({.brackets = true, .max_seq_length = 2}), HasSubstr("at least 3"));
  EXPECT_THAT(failure({.brackets = false, .max_seq_length = 0}), HasSubstr("at least 1"));
  EXPECT_THAT(failure({.brackets = false, .max_seq_length = -5}), HasSubstr("-5"));
}

TEST_F(TextPreparationTest, RefusesWhatItCannotDo) {
  model_.config.vocabulary = 100;
  EXPECT_THAT(failure({.brackets = false}), HasSubstr("100 rows"));
  model_.config.vocabulary = testing::tiny_vocabulary();
  model_.lower_case = true;
  EXPECT_THAT(failure({.brackets = false}), HasSubstr("lower"));
}

TEST(PlanBatches, FillsTheBudgetLongestFirstAndLosesNoText) {
  std::vector<TokenIds> texts;
  for (const std::size_t length : {3, 9, 0, 4, 4, 20, 1}) texts.emplace_back(length, 1);
  const auto batches = plan_batches(texts, 10);
  EXPECT_THAT(batches, ElementsAre(ElementsAre(5u), ElementsAre(1u), ElementsAre(3u, 4u), ElementsAre(0u, 6u)));
  const TokenBatch batch = pack_texts(texts, batches[3]);
  EXPECT_THAT(batch.offsets, ElementsAre(0, 3, 4));
}

}  // namespace
}  // namespace sgpt
