// AllNLI.tsv: the anchors and their sets, the triplets drawn from them, and what is said of broken files.
#include "train/nli/nli_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "fixtures.h"
#include "nli_files.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;
using Texts = std::vector<std::string>;

class NliDataTest : public ::testing::Test {
 protected:
  NliDataTest()
      : model_(testing::write_tiny_model(home_.path() / "model")),
        preparation_(Tokenizer::load(model_ / "tokenizer.json"), read_model_folder(model_), {.brackets = false}) {}

  static Texts texts_of(const NliAnchors& anchors, const std::vector<std::uint32_t>& numbers) {
    Texts texts;
    for (const std::uint32_t number : numbers) texts.push_back(anchors.sentences[number]);
    return texts;
  }

  NliAnchors read(const std::string& table) const { return read_nli_anchors(home_.write("nli.tsv", table)); }
  std::string message(const std::string& table) const {
    try {
      read(table);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }

  std::vector<std::array<std::string, 3>> triplets(const NliData::Options& options) const {
    const NliData data(preparation_, read(testing::small_nli()), options);
    std::vector<std::array<std::string, 3>> all;
    for (std::int64_t i = 0; i < data.size(); ++i) all.push_back(data.texts(i));
    return all;
  }

  testing::TempFolder home_;
  std::filesystem::path model_;
  TextPreparation preparation_;
};

TEST_F(NliDataTest, AnchorsAndTripletsAreThoseOfTheGoldenCase) {
  for (const auto& root : testing::fixture_roots()) {
    if (!std::filesystem::exists(root / "nli" / "case.json")) continue;
    const auto golden = nlohmann::json::parse(std::ifstream(root / "nli" / "case.json"));
    for (const char* name : {"AllNLI.tsv", "AllNLI.tsv.gz"}) {
      const NliAnchors found = read_nli_anchors(root / "nli" / name);
      const auto& expected = golden["anchors_in_order_of_first_appearance"];
      ASSERT_EQ(found.anchors.size(), expected.size());
      const NliData data(preparation_, found, {.seed = 5});
      ASSERT_EQ(data.size(), golden["sample_count"].get<std::int64_t>());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto anchor = expected[i]["anchor"].get<std::string>();
        const auto entailments = expected[i]["entailment"].get<Texts>();
        const auto contradictions = expected[i]["contradiction"].get<Texts>();
        EXPECT_EQ(found.sentences[found.anchors[i].sentence], anchor);
        EXPECT_THAT(texts_of(found, found.anchors[i].entailments), UnorderedElementsAreArray(entailments));
        EXPECT_THAT(texts_of(found, found.anchors[i].contradictions), UnorderedElementsAreArray(contradictions));
        const auto is_one_of = [](const Texts& texts, const std::string& text) {
          return std::find(texts.begin(), texts.end(), text) != texts.end();
        };
        const auto first = data.texts(static_cast<std::int64_t>(2 * i));
        const auto second = data.texts(static_cast<std::int64_t>(2 * i + 1));
        EXPECT_EQ(first[0], anchor);
        EXPECT_TRUE(is_one_of(entailments, first[1]));
        EXPECT_TRUE(is_one_of(contradictions, first[2]));
        EXPECT_TRUE(is_one_of(entailments, second[0]));
        EXPECT_EQ(second[1], anchor);
        EXPECT_TRUE(is_one_of(contradictions, second[2]));
      }
    }
  }
}

TEST_F(NliDataTest, EveryRowCountsBothWaysAndASetHasEachOnce) {
  const NliAnchors found = read(
      "sentence1\tsentence2\tlabel\tsplit\n"
      " b \ta\tneutral\ttrain\n"
      "a\t\"b\tentailment\ttrain\n"
      "a\t\"b\tentailment\ttrain\n"
      "c\ta\tcontradiction\ttrain\n"
      "a\ta\tentailment\ttrain\n"
      "b\tc\tentailment\ttrain\n"
      "a\td\tcontradiction\ttest\n");
  EXPECT_THAT(found.sentences, ElementsAre("b", "a", "\"b", "c"));  // no quoting, and only what trains
  ASSERT_EQ(found.anchors.size(), 2u);
  EXPECT_EQ(found.sentences[found.anchors[0].sentence], "a");
  EXPECT_THAT(texts_of(found, found.anchors[0].entailments), ElementsAre("\"b", "a"));
  EXPECT_THAT(texts_of(found, found.anchors[0].contradictions), ElementsAre("c"));
  EXPECT_EQ(found.sentences[found.anchors[1].sentence], "c");
}

TEST_F(NliDataTest, TheSameSeedDrawsTheSame) {
  const auto drawn = triplets({.seed = 3});
  ASSERT_EQ(drawn.size(), 40u);
  EXPECT_EQ(triplets({.seed = 3}), drawn);
  EXPECT_NE(triplets({.seed = 4}), drawn);
  EXPECT_NE(triplets({.seed = 3, .drawing = 1}), drawn);
  const auto few = triplets({.max_examples = 5, .seed = 3});
  ASSERT_EQ(few.size(), 5u);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), drawn.begin()));
}

TEST_F(NliDataTest, EveryMemberOfASetIsDrawn) {
  std::set<std::array<std::string, 3>> seen;
  for (std::uint64_t seed = 0; seed < 40; ++seed) seen.insert(triplets({.max_examples = 1, .seed = seed})[0]);
  EXPECT_EQ(seen.size(), 4u);  // two entailments with two contradictions
}

TEST_F(NliDataTest, TextsAreComparedStrippedAndInLowerCase) {
  const NliData data(preparation_,
                     read("sentence1\tsentence2\tlabel\tsplit\n"
                          "A DOG\t a dog \tentailment\ttrain\n"
                          "A DOG\ta cat\tcontradiction\ttrain\n"),
                     {});
  std::vector<std::uint64_t> hashes;
  data.texts(0, 0, hashes);
  ASSERT_EQ(hashes.size(), 3u);
  EXPECT_EQ(hashes[0], hashes[1]);
  EXPECT_NE(hashes[0], hashes[2]);
}

TEST_F(NliDataTest, ABatchHoldsTheIdsOfItsTexts) {
  const NliData data(preparation_, read(testing::small_nli()), {});
  const std::vector<std::int64_t> examples{7, 0, 12};
  const TrainingBatch batch = data.batch(examples, 0);
  ASSERT_EQ(batch.columns.size(), 3u);
  for (std::size_t column = 0; column < 3; ++column) {
    TokenBatch expected;
    for (const std::int64_t example : examples) {
      expected.add(preparation_.ids(data.texts(example)[column], TextKind::query));
    }
    EXPECT_EQ(batch.columns[column].ids, expected.ids);
    EXPECT_EQ(batch.columns[column].offsets, expected.offsets);
  }
}

TEST_F(NliDataTest, AnotherFileHasAnotherFingerprint) {
  const std::uint64_t one = read(testing::small_nli()).fingerprint();
  EXPECT_EQ(read(testing::small_nli()).fingerprint(), one);
  EXPECT_NE(read(testing::small_nli() + "entailment\ta\tAnn reads a book\ttrain\n").fingerprint(), one);
}

TEST_F(NliDataTest, SaysWhatIsWrongWithAFile) {
  EXPECT_THAT(message("split\tsentence1\tsentence2\ntrain\ta\tb\n"),
              AllOf(HasSubstr("nli.tsv:1"), HasSubstr("the column \"label\" is missing")));
  const std::string header = "split\tlabel\tsentence1\tsentence2\n";
  EXPECT_THAT(message(header + "train\tmaybe\ta\tb\n"), AllOf(HasSubstr("nli.tsv:2"), HasSubstr("\"maybe\"")));
  EXPECT_THAT(message(header + "train\tentailment\ta\n"), AllOf(HasSubstr("nli.tsv:2"), HasSubstr("\"sentence2\"")));
  EXPECT_THAT(message(header + "train\tentailment\ta\tb\n"), HasSubstr("both an entailment and a contradiction"));
  EXPECT_THAT(message(""), HasSubstr("empty"));
}

}  // namespace
}  // namespace sgpt
