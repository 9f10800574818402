// sgpt bm25: a run that sgpt score measures as the command does, and what it says of wrong input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/small_corpus.h"
#include "temp_folder.h"

namespace sgpt::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Bm25Command : public ::testing::Test {
 protected:
  void SetUp() override { write_small_corpus(home_ / "data"); }

  Outcome bm25(std::vector<std::string> more) const {
    more.insert(more.begin(), {"bm25", "--data_path", at("data")});
    return sgpt(more);
  }
  std::string at(const std::string& name) const { return (home_ / name).string(); }
  nlohmann::json json(const std::string& name) const { return nlohmann::json::parse(std::ifstream(home_ / name)); }

  TempFolder home_;
};

TEST_F(Bm25Command, WritesARunAndItsMetrics) {
  const Outcome outcome = bm25({"--run_file", at("bm25.trec"), "--output", at("results.json")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  const double ndcg = json("results.json")["ndcgs"]["bm25"]["data"]["NDCG@10"];
  EXPECT_GT(ndcg, 0.9);  // each question shares its two words with one document alone
  const Outcome score = sgpt({"score", "--qrels", at("data/qrels/test.tsv"), "--run", at("bm25.trec")});
  ASSERT_EQ(score.status, 0) << score.err;
  EXPECT_EQ(nlohmann::json::parse(score.out)["mean"]["NDCG@10"], ndcg);
  std::ifstream run(home_ / "bm25.trec");
  std::string first;
  std::getline(run, first);
  EXPECT_THAT(first, StartsWith("q1 Q0 d1 1 "));
}

TEST_F(Bm25Command, TheOptionsOfTheFormulaCount) {
  const auto top = [&](const std::vector<std::string>& options) {
    std::vector<std::string> all{"--run_file", at("run.trec"), "--output", at("results.json")};
    all.insert(all.end(), options.begin(), options.end());
    EXPECT_EQ(bm25(all).status, 0);
    std::ifstream run(home_ / "run.trec");
    return std::string(std::istreambuf_iterator<char>(run), {});
  };
  // All others have one length, each word once, and no plural.
  std::ofstream(home_ / "data" / "corpus.jsonl", std::ios::app)
      << R"({"_id": "long", "text": "Rivers and rivers: the red rivers of lands that are told of here at some length."})"
      << '\n';
  const std::string usual = top({});
  EXPECT_EQ(top({"--k1", "1.5", "--b", "0.75", "--stemming", "porter", "--stop_words", "english"}), usual);
  for (const std::vector<std::string>& option :
       {std::vector<std::string>{"--k1", "0.9"}, {"--b", "0.4"}, {"--stemming", "none"}, {"--stop_words", "none"}}) {
    EXPECT_NE(top(option), usual) << option[0];
  }
}

TEST_F(Bm25Command, SaysWhatIsWrong) {
  EXPECT_THAT(bm25({"--b", "2"}).err, HasSubstr("--b"));
  EXPECT_THAT(bm25({"--stemming", "snowball"}).err, HasSubstr("--stemming"));
  const Outcome input = bm25({"--run_file", at("data/corpus.jsonl")});
  EXPECT_EQ(input.status, 2);
  EXPECT_THAT(input.err, HasSubstr("corpus.jsonl"));
  const Outcome split = bm25({"--split", "dev"});
  EXPECT_EQ(split.status, 2);
  EXPECT_THAT(split.err, HasSubstr("dev"));
}

}  // namespace
}  // namespace sgpt::testing
