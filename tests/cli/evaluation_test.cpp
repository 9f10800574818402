// sgpt eval as a whole: what it tells of a data set, and what stays when a later one fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

class Evaluation : public ::testing::Test {
 protected:
  void SetUp() override { write_tiny_model(home_ / "model"); }

  /// Two documents, and each one's text as a query that has its id.
  void write_data(const std::string& folder) {
    fs::create_directories(home_ / (folder + "/qrels"));
    const std::string lines = "{\"_id\": \"1\", \"text\": \"the heat\"}\n{\"_id\": \"2\", \"text\": \"a sand bank\"}\n";
    home_.write(folder + "/corpus.jsonl", lines);
    home_.write(folder + "/queries.jsonl", lines);
    home_.write(folder + "/qrels/test.tsv", "query-id\tcorpus-id\tscore\n1\t1\t1\n2\t2\t1\n");
  }

  Outcome eval(const std::string& folder, const Words& more) const {
    Words words{"eval",        "--model",  at("model"), "--no_specb",
                "--data_path", at(folder), "--output",  at("results.json")};
    words.insert(words.end(), more.begin(), more.end());
    return sgpt(words);
  }

  nlohmann::json results() const { return nlohmann::json::parse(std::ifstream(home_ / "results.json")); }
  std::string at(const std::string& name) const { return (home_ / name).string(); }

  TempFolder home_;
};

TEST_F(Evaluation, DocumentsWithTheirQuerysIdAreLeftOutAloud) {
  write_data("data");
  const Outcome as_beir = eval("data", {});
  ASSERT_EQ(as_beir.status, 0) << as_beir.err;
  EXPECT_THAT(as_beir.err, AllOf(HasSubstr("2 of 2 relevant documents"), HasSubstr("--keep_same_ids")));
  EXPECT_EQ(results()["ndcgs"]["model"]["data"]["NDCG@1"], 0.0);
  EXPECT_FALSE(results().contains("keep_same_ids"));
  const Outcome kept = eval("data", {"--keep_same_ids", "--run_file", at("run.trec")});
  ASSERT_EQ(kept.status, 0) << kept.err;
  EXPECT_THAT(kept.err, Not(HasSubstr("--keep_same_ids")));
  EXPECT_EQ(results()["ndcgs"]["model"]["data"]["NDCG@1"], 1.0);
  EXPECT_EQ(results()["keep_same_ids"]["model"]["data"], true);
  std::ifstream run(home_ / "run.trec");
  std::string first;
  std::getline(run, first);
  EXPECT_THAT(first, ::testing::StartsWith("1 Q0 1 1 "));
}

TEST_F(Evaluation, FinishedForumsAreKeptWhenALaterOneFails) {
  for (const char* forum : {"android", "english", "gaming", "gis", "mathematica", "physics", "programmers", "stats",
                            "tex", "unix", "webmasters", "wordpress"}) {
    write_data("cqa/" + std::string(forum));
  }
  fs::create_directories(home_ / "run_cqa_webmasters.trec/in the way");
  const Outcome outcome = eval("cqa", {"--keep_same_ids", "--run_file", at("run.trec")});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("10 of 12 data sets are evaluated"), HasSubstr("results.json"),
                                 HasSubstr("missing: cqa_webmasters, cqa_wordpress, and the mean")));
  const auto kept = results()["ndcgs"]["model"];
  EXPECT_EQ(kept.size(), 10u);
  EXPECT_EQ(kept["cqa_unix"]["NDCG@1"], 1.0);
  fs::remove_all(home_ / "run_cqa_webmasters.trec");
  ASSERT_EQ(eval("cqa", {"--keep_same_ids", "--run_file", at("run.trec")}).status, 0);
  EXPECT_EQ(results()["ndcgs"]["model"]["cqa"]["NDCG@1"], 1.0);
}

TEST_F(Evaluation, ABrokenForumIsToldBeforeAnythingIsEmbedded) {
  for (const char* forum : {"android", "english", "gaming", "gis", "mathematica", "physics", "programmers", "stats",
                            "tex", "unix", "webmasters", "wordpress"}) {
    write_data("cqa/" + std::string(forum));
  }
  home_.write("cqa/wordpress/corpus.jsonl", "{\"_id\": \"1\", \"text\": \"the heat\"}\n{\"_id\": \"2\"");
  const Outcome outcome = eval("cqa", {});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("wordpress/corpus.jsonl:2"), Not(HasSubstr("100%"))));
  EXPECT_FALSE(fs::exists(home_ / "results.json"));
}

}  // namespace
}  // namespace sgpt::testing
