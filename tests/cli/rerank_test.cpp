// sgpt rerank from end to end: the golden run, a run that is killed and goes on, and mistakes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "fixtures.h"
#include "retrieval/trec_run.h"
#include "sgpt/reranker.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::HasSubstr;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// A BEIR folder and a first run.
void write_data_set(const fs::path& folder, const Json& data) {
  fs::create_directories(folder / "qrels");
  std::ofstream corpus(folder / "corpus.jsonl"), queries(folder / "queries.jsonl"), run(folder / "first.trec");
  std::ofstream qrels(folder / "qrels" / "test.tsv");
  for (const auto& [id, text] : data.at("corpus").items()) {
    corpus << Json{{"_id", id}, {"title", text.at("title")}, {"text", text.at("text")}} << '\n';
  }
  for (const auto& [id, text] : data.at("queries").items()) queries << Json{{"_id", id}, {"text", text}} << '\n';
  for (const auto& [query, hits] : data.at("first_stage").items()) {
    for (const auto& [document, score] : hits.items())
      run << query << " Q0 " << document << " 1 " << score << " bm25\n";
  }
  qrels << "query-id\tcorpus-id\tscore\n";
  for (const auto& [query, judged] : data.at("qrels").items()) {
    for (const auto& [document, relevance] : judged.items())
      qrels << query << '\t' << document << '\t' << relevance << '\n';
  }
}

TEST(RerankProgram, GivesTheGoldenRunAndItsScores) {
  for (const fs::path& file : fixtures("ce")) {
    if (file.filename() != "rerank.json") continue;
    const Json golden = Json::parse(text_of(file));
    const fs::path root = file.parent_path().parent_path();
    const TempFolder temp;
    write_data_set(temp / "data", golden);
    temp.write("template.txt", golden.at("template").get<std::string>());
    const fs::path run_file = temp / "new.trec", output = temp / "results.json";
    const Outcome outcome =
        sgpt({"rerank", "--model", (root / golden.at("model").get<std::string>()).string(), "--run",
              (temp / "data" / "first.trec").string(), "--data_path", (temp / "data").string(), "--top_k",
              golden.at("top_k").dump(), "--template", (temp / "template.txt").string(), "--max_length",
              golden.at("max_length").dump(), "--run_file", run_file.string(), "--output", output.string()});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto run = read_trec_run(run_file);
    const Json& expected = golden.at("reranked");
    ASSERT_EQ(run.size(), expected.size());
    for (const auto& [query, hits] : run) {
      ASSERT_EQ(hits.size(), expected.at(query).size()) << query;
      for (const ScoredDocument& hit : hits) EXPECT_NEAR(hit.score, expected.at(query).at(hit.id).get<double>(), 1e-3);
    }
    const Json results = Json::parse(text_of(output));
    const Json& ndcg = results.at("ndcgs").front().at("data");
    const Json& map = results.at("maps").front().at("data");
    const Json& means = golden.at("reranked_mean_rounded_5");
    for (const char* k : {"1", "3", "5", "10"}) {
      EXPECT_NEAR(ndcg.at("NDCG@" + std::string(k)).get<double>(), means.at("ndcg_cut_" + std::string(k)), 1e-5);
      EXPECT_NEAR(map.at("MAP@" + std::string(k)).get<double>(), means.at("map_cut_" + std::string(k)), 1e-5);
    }
    EXPECT_FALSE(fs::exists(temp / "new.trec.progress"));
  }
}

class SmallRerank : public ::testing::Test {
 protected:
  SmallRerank() {
    write_tiny_model(temp_ / "model", {.modules = false});
    for (int d = 0; d < 40; ++d) {
      data_["corpus"]["d" + std::to_string(d)] = {{"title", ""},
                                                  {"text", "the thing and another " + std::to_string(d)}};
    }
    for (int q = 0; q < 30; ++q) {
      const std::string id = "q" + std::to_string(q);
      data_["queries"][id] = "the query and number " + std::to_string(q);
      data_["qrels"][id] = {{"d" + std::to_string(q), 1}};
      for (int d = 0; d < 40; ++d) data_["first_stage"][id]["d" + std::to_string(d)] = 1.0 / (d + q + 1);
    }
  }

  std::vector<std::string> command(const std::string& run_file, const std::vector<std::string>& more = {}) {
    write_data_set(temp_ / "data", data_);
    std::vector<std::string> words{"rerank",
                                   "--model",
                                   (temp_ / "model").string(),
                                   "--run",
                                   (temp_ / "data" / "first.trec").string(),
                                   "--data_path",
                                   (temp_ / "data").string(),
                                   "--run_file",
                                   (temp_ / run_file).string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string error_of(const std::vector<std::string>& words) const {
    const Outcome outcome = sgpt(words);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    return outcome.err;
  }

  TempFolder temp_;
  Json data_;
};

TEST_F(SmallRerank, AKilledRunGoesOnAndEndsWithTheSameFile) {
  ASSERT_EQ(sgpt(command("whole.trec")).status, 0);
  const fs::path progress = temp_ / "killed.trec.progress";
  const auto words = command("killed.trec");
  {
    RunningCommand run(sgpt_command(words));
    for (int i = 0; i < 2000 && (!fs::exists(progress) || fs::file_size(progress) < 2000); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    run.send(SIGKILL);
    run.wait();
  }
  const Outcome again = sgpt(words);
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(text_of(temp_ / "killed.trec"), text_of(temp_ / "whole.trec"));
  EXPECT_FALSE(fs::exists(progress));
}

TEST_F(SmallRerank, ScoresOfAnotherJobAreNotTaken) {
  ASSERT_EQ(sgpt(command("whole.trec")).status, 0);
  temp_.write("other.trec.progress", "{\"model\": \"another\"}\n12345678");
  ASSERT_EQ(sgpt(command("other.trec")).status, 0);
  EXPECT_EQ(text_of(temp_ / "other.trec"), text_of(temp_ / "whole.trec"));
}

TEST_F(SmallRerank, OnlyTheBestOfTheFirstRunAreRanked) {
  ASSERT_EQ(sgpt(command("new.trec", {"--top_k", "7"})).status, 0);
  const auto run = read_trec_run(temp_ / "new.trec");
  ASSERT_EQ(run.size(), 30);
  for (const auto& [query, hits] : run) {
    EXPECT_EQ(hits.size(), 7);
    for (const ScoredDocument& hit : hits) EXPECT_EQ(hit.id.size(), 2) << "d0 to d6, found " << hit.id;
  }
}

TEST_F(SmallRerank, ASearchShowsTheBestAsTheLanguageModelRanksThem) {
  static_cast<void>(command("unused"));
  const std::string query = "the query";
  const Outcome outcome = sgpt({"search", "--model", (temp_ / "model").string(), "--no-specb", "--corpus",
                                (temp_ / "data" / "corpus.jsonl").string(), "--rerank", (temp_ / "model").string(),
                                "--rerank_top_k", "9", "--top_k", "3", "--json", query});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json answer = Json::parse(outcome.out);
  const Json& hits = answer.at("hits");
  ASSERT_EQ(hits.size(), 3);
  const Reranker reranker = Reranker::load(temp_ / "model");
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const std::string text = hits[i].at("text");
    EXPECT_EQ(hits[i].at("score").get<float>(), static_cast<float>(reranker.score(query, std::vector{text}).front()));
    if (i > 0) {
      EXPECT_GE(hits[i - 1].at("score").get<float>(), hits[i].at("score").get<float>());
    }
  }
}

TEST_F(SmallRerank, MistakesAreTold) {
  const std::string no_place = temp_.write("no_place.txt", "nothing").string();
  EXPECT_THAT(error_of(command("n", {"--template", no_place})), HasSubstr("has no {} in it"));
  EXPECT_THAT(error_of(command("n", {"--template", "Z"})), HasSubstr("expected a letter from A to I, or a file"));
  EXPECT_THAT(error_of(command("n", {"--max_length", "50"})), HasSubstr("but there is room for"));
  EXPECT_THAT(error_of(command("data/first.trec")), HasSubstr("--run"));

  const Json whole = data_;
  data_["first_stage"]["q3"]["gone"] = 5;
  EXPECT_THAT(error_of(command("n")), HasSubstr("1 of its documents are not in"));
  data_ = whole;
  data_["queries"].erase("q4");
  EXPECT_THAT(error_of(command("n")), HasSubstr("1 of its 30 queries are not in"));
  data_ = whole;
  data_["queries"]["q5"] = "  ";
  EXPECT_THAT(error_of(command("n")), HasSubstr("the query \"q5\" has no text"));
  data_ = whole;
  data_["qrels"] = {{"another", {{"d1", 1}}}};
  EXPECT_THAT(error_of(command("n")), HasSubstr("none of its 30 queries is judged"));
  EXPECT_FALSE(fs::exists(temp_ / "n"));
}

}  // namespace
}  // namespace sgpt::testing
