// The whole way, as the README shows it: tokenizer train, init, info, train, eval, score, encode, search.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/small_corpus.h"
#include "temp_folder.h"

namespace sgpt::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// What every test of the pipeline starts from: a corpus, a tokenizer learnt from it, an untrained model, a trained
/// one. Made once for all of them.
class Pipeline : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    home_ = new TempFolder;
    write_small_corpus(at("data"));
    run({"tokenizer", "train", "--input", at("data/corpus.jsonl"), "--vocab_size", "400", "--output",
         at("tokenizer.json")});
    run({"init", "--output", at("untrained"), "--tokenizer", at("tokenizer.json"), "--hidden", "32", "--layers", "2",
         "--heads", "4", "--seed", "1"});
    run(training("trained"));
  }
  static void TearDownTestSuite() {
    delete home_;
    home_ = nullptr;
  }

  static std::string at(const std::string& name) { return (home_->path() / name).string(); }

  static Outcome run(const std::vector<std::string>& arguments, const std::string& input = {}) {
    Outcome outcome = sgpt(arguments, input);
    EXPECT_EQ(outcome.status, 0) << ::testing::PrintToString(arguments) << "\n" << outcome.err;
    return outcome;
  }

  static std::vector<std::string> training(const std::string& target) {
    return {"train",
            "--model_name",
            at("untrained"),
            "--train_data",
            at("data"),
            "--model_save_path",
            at(target),
            "--specb",
            "--pooling",
            "weightedmean",
            "--train_batch_size",
            "15",
            "--gradcache",
            "--chunksize",
            "4",
            "--epochs",
            "30",
            "--lr",
            "2e-3",
            "--warmup_steps",
            "5",
            "--log_file",
            at(target + "-log.jsonl")};
  }

  static double ndcg(const std::string& model) {
    const std::string output = at(model + "-results.json");
    std::filesystem::remove(output);
    run({"eval", "--model", at(model), "--data_path", at("data"), "--specb", "--output", output, "--run_file",
         at(model + ".trec")});
    const auto results = nlohmann::json::parse(text_of(output));
    return results.at("ndcgs").at(model).at("data").at("NDCG@10").get<double>();
  }

 private:
  static TempFolder* home_;
};

TempFolder* Pipeline::home_ = nullptr;

TEST_F(Pipeline, TrainingMakesHeldOutQuestionsFindTheirAnswers) {
  const double before = ndcg("untrained");
  const double after = ndcg("trained");
  EXPECT_GT(after, before);
  EXPECT_GT(after, 0.6);
}

TEST_F(Pipeline, LogFileHasALineForEveryStep) {
  const auto lines = lines_of(text_of(at("trained-log.jsonl")));
  ASSERT_EQ(lines.size(), 60U);  // 30 examples in batches of 15, 30 epochs
  const auto first = nlohmann::json::parse(lines.front());
  const auto last = nlohmann::json::parse(lines.back());
  EXPECT_LT(last.at("loss").get<double>(), first.at("loss").get<double>());
  EXPECT_EQ(first.at("lr").get<double>(), 0.0);
  for (const char* key : {"step", "gradient_norm"}) EXPECT_TRUE(last.contains(key)) << key;
}

TEST_F(Pipeline, SameCommandMakesTheSameModelFile) {
  run(training("again"));
  EXPECT_EQ(text_of(at("trained/model.safetensors")), text_of(at("again/model.safetensors")));
}

TEST_F(Pipeline, ScoreOfTheRunFileIsTheScoreOfEval) {
  const double evaluated = ndcg("trained");
  run({"score", "--qrels", at("data/qrels/test.tsv"), "--run", at("trained.trec"), "--output", at("score.json")});
  const std::string scored = text_of(at("score.json"));
  std::ostringstream number;
  number << evaluated;
  EXPECT_THAT(scored, HasSubstr(number.str()));
}

TEST_F(Pipeline, EvalMergesIntoAnExistingFile) {
  const std::string output = at("merged.json");
  std::ofstream(output) << R"({"ndcgs": {"other": {"set": {"NDCG@10": 0.5}}}})";
  run({"eval", "--model", at("trained"), "--data_path", at("data"), "--output", output});
  const auto results = nlohmann::json::parse(text_of(output));
  EXPECT_EQ(results.at("ndcgs").at("other").at("set").at("NDCG@10").get<double>(), 0.5);
  EXPECT_TRUE(results.at("ndcgs").at("trained").contains("data"));
}

TEST_F(Pipeline, SearchFindsWhatIsAskedAndSaysItOnStdout) {
  const Outcome outcome = run({"search", "--model", at("trained"), "--corpus", at("data/corpus.jsonl"), "--top_k", "3",
                               "where is the silver violin"});
  EXPECT_THAT(outcome.out, HasSubstr("silver violin"));
  const Outcome again = run({"search", "--model", at("trained"), "--corpus", at("data/corpus.jsonl"), "--top_k", "3",
                             "where is the silver violin"});
  EXPECT_EQ(outcome.out, again.out) << "with embeddings from the cache";
}

TEST_F(Pipeline, SearchAsksForQueriesOnStdin) {
  const Outcome outcome = run({"search", "--model", at("trained"), "--corpus", at("data/corpus.jsonl"), "--top_k", "3"},
                              "where is the golden bread\nwhere is the red lamp\n");
  EXPECT_THAT(outcome.out, HasSubstr("golden bread"));
  EXPECT_THAT(outcome.out, HasSubstr("red lamp"));
}

TEST_F(Pipeline, EncodeWritesOneRowALine) {
  std::ofstream(at("lines.txt")) << "one\ntwo words\nthree of them\n";
  const Outcome outcome =
      run({"encode", "--model", at("trained"), "--input", at("lines.txt"), "--output", at("rows.npy"), "--query"});
  EXPECT_THAT(outcome.out, IsEmpty());
  const std::string file = text_of(at("rows.npy"));
  EXPECT_EQ(file.substr(0, 6), "\x93NUMPY");
  EXPECT_THAT(file, HasSubstr("'shape': (3, 32)"));
  const std::size_t header = 10 + static_cast<unsigned char>(file[8]) + 256U * static_cast<unsigned char>(file[9]);
  EXPECT_EQ(file.size(), header + 3 * 32 * sizeof(float));
}

TEST_F(Pipeline, TokenizeAndDecodeGiveTheTextBack) {
  const std::string text = "{\"text\":\"the amber garden, déjà vu\"}\n";
  const Outcome ids = run({"tokenize", "--tokenizer", at("tokenizer.json"), "--input", "-", "--output", "-"}, text);
  EXPECT_THAT(ids.out, HasSubstr("\"ids\""));
  const Outcome back =
      run({"tokenize", "--tokenizer", at("tokenizer.json"), "--decode", "--input", "-", "--output", "-"}, ids.out);
  EXPECT_EQ(nlohmann::json::parse(back.out).at("text"), "the amber garden, déjà vu");
}

TEST_F(Pipeline, InfoTellsWhatIsInTheFolder) {
  const Outcome outcome = run({"info", at("trained")});
  EXPECT_THAT(outcome.out, HasSubstr("weightedmean"));
  EXPECT_TRUE(nlohmann::json::accept(run({"info", at("trained"), "--json"}).out));
}

TEST_F(Pipeline, RefusesToWriteAModelOverAnother) {
  for (const auto& arguments :
       {training("trained"),
        std::vector<std::string>{"init", "--output", at("trained"), "--tokenizer", at("tokenizer.json"), "--hidden",
                                 "32", "--layers", "1", "--heads", "4"}}) {
    const std::string before = text_of(at("trained/model.safetensors"));
    const Outcome outcome = sgpt(arguments);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.err, HasSubstr(at("trained")));
    EXPECT_EQ(text_of(at("trained/model.safetensors")), before);
  }
}

}  // namespace
}  // namespace sgpt::testing
