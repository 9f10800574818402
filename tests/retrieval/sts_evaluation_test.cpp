// Textual similarity: the golden correlations, the file formats and what is said of broken files.
#include "retrieval/sts_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fixtures.h"
#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A case's model, which lies in one of the fixtures' folders.
fs::path model_of(const nlohmann::json& golden) {
  for (const fs::path& root : fixture_roots()) {
    if (const fs::path model = root / golden["model"].get<std::string>(); fs::exists(model)) return model;
  }
  throw std::runtime_error("no fixture is called " + golden["model"].get<std::string>());
}

TEST(StsEvaluation, EqualsTheGoldenCorrelations) {
  std::size_t cases = 0;
  for (const fs::path& root : fixture_roots()) {
    if (!fs::exists(root / "sts" / "case.json")) continue;
    ++cases;
    const auto golden = nlohmann::json::parse(std::ifstream(root / "sts" / "case.json"));
    const Encoder encoder = Encoder::load(
        model_of(golden),
        {.brackets = golden["brackets"].get<bool>(), .max_seq_length = golden["max_seq_length"].get<std::int64_t>()});
    const StsPairs pairs = read_sts(root / "sts" / "stsbenchmark.tsv", "dev");
    ASSERT_EQ(pairs.scores.size(), golden["pairs"].size());
    for (std::size_t i = 0; i < pairs.scores.size(); ++i) {
      EXPECT_EQ(pairs.scores[i], golden["pairs"][i]["score"]);
    }
    const StsResult result = evaluate_sts(encoder, pairs);
    constexpr double kPearson = 1e-5;
    constexpr double kSpearman = 1e-6;
    for (const auto& [name, value] : result.named()) {
      const std::size_t underline = name.find('_');
      const std::string similarity(name.substr(0, underline));
      const std::string kind(name.substr(underline + 1));
      EXPECT_NEAR(value, golden["expected"][similarity][kind].get<double>(), kind == "pearson" ? kPearson : kSpearman)
          << name;
    }
    EXPECT_NEAR(result.main_score(), golden["main_score_reference"].get<double>(), kSpearman);
  }
  if (cases == 0) GTEST_SKIP() << "no golden case of STS is here";
}

class StsFiles : public ::testing::Test {
 protected:
  std::string error_of(const std::string& text, const std::optional<std::string>& split = {}) {
    try {
      read_sts(home_.write("sts.tsv", text), split);
    } catch (const UserError& error) {
      return error.what();
    }
    return "none";
  }

  TempFolder home_;
};

TEST_F(StsFiles, ColumnsAreFoundByNameAndQuotationMarksAreLetters) {
  const auto file = home_.write("sts.tsv",
                                "split\tsentence2\tscore\tsentence1\r\n"
                                "test\tb\t2.5\t\"a\r\n"
                                "dev\tx\t1\ty\r\n\r\n"
                                "test\td\t 5.000\tc\"\r\n");
  const StsPairs pairs = read_sts(file, std::nullopt);
  EXPECT_THAT(pairs.first, ElementsAre("\"a", "c\""));
  EXPECT_THAT(pairs.second, ElementsAre("b", "d"));
  EXPECT_THAT(pairs.scores, ElementsAre(2.5, 5));
  EXPECT_THAT(pairs.places[1], ::testing::EndsWith("sts.tsv:5"));
}

TEST_F(StsFiles, TheBenchmarksOwnFilesHaveNoHeader) {
  const auto file = home_.write("sts-test.csv",
                                "main-captions\tMSRvid\t2012test\t0024\t2.5\ta girl\ta boy\n"
                                "main-captions\tMSRvid\t2012test\t0033\t3.6\ta man\ta dog\tlicence\n");
  const StsPairs pairs = read_sts(file, std::nullopt);
  EXPECT_THAT(pairs.scores, ElementsAre(2.5, 3.6));
  EXPECT_THAT(pairs.second, ElementsAre("a boy", "a dog"));
}

TEST_F(StsFiles, MistakesAreToldWithTheirPlace) {
  EXPECT_THAT(error_of(""), AllOf(HasSubstr("sts.tsv: the file is empty"), HasSubstr("sentence1")));
  EXPECT_THAT(error_of("sentence1\tsentence2\na\tb\n"), HasSubstr("sts.tsv:1: the column \"score\" is missing"));
  const std::string header = "split\tscore\tsentence1\tsentence2\n";
  EXPECT_THAT(error_of(header + "test\t1\ta\tb\ntest\thigh\ta\tb\n"), HasSubstr("sts.tsv:3: the score \"high\" is no"));
  EXPECT_THAT(error_of(header + "test\tnan\ta\tb\n"), HasSubstr("is no number"));
  EXPECT_THAT(error_of(header + "test\t1\ta\n"), HasSubstr("sts.tsv:2: the column \"sentence2\" is missing"));
  EXPECT_THAT(error_of(header + "dev\t1\ta\tb\n"), AllOf(HasSubstr("\"test\""), HasSubstr("there are: dev")));
  EXPECT_THAT(error_of(header + "test\t1\ta\tb\n"), HasSubstr("at least two pairs"));
  EXPECT_THAT(error_of(header + "test\t1\ta\tb\ntest\t1\tc\td\n"), HasSubstr("the score 1"));
  EXPECT_THAT(error_of("score\tsentence1\tsentence2\n1\ta\tb\n2\tc\td\n", "dev"), HasSubstr("no column \"split\""));
  EXPECT_THAT(error_of(header + "test\t1\ta\t\xff\n"), HasSubstr("sts.tsv:2"));
}

TEST_F(StsFiles, RowsAreAppendedAsSentenceTransformersDoes) {
  const fs::path csv = home_ / "similarity_evaluation_sts-dev_results.csv";
  StsResult result;
  result.cosine = {0.5, 1};
  result.dot = {0.25, std::nan("")};
  append_sts_row(csv, {0, 440, result});
  append_sts_row(csv, {0, -1, result});
  std::ifstream file(csv, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}),
            "epoch,steps,cosine_pearson,cosine_spearman,euclidean_pearson,euclidean_spearman,manhattan_pearson,"
            "manhattan_spearman,dot_pearson,dot_spearman\r\n"
            "0,440,0.5,1.0,0.0,0.0,0.0,0.0,0.25,nan\r\n"
            "0,-1,0.5,1.0,0.0,0.0,0.0,0.0,0.25,nan\r\n");
  EXPECT_EQ(result.main_score(), 1);
  EXPECT_THROW(append_sts_row(home_.write("other.csv", "a,b\n1,2\n"), {0, 0, result}), UserError);
}

}  // namespace
}  // namespace sgpt::testing
