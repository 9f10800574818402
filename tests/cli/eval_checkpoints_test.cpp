// sgpt eval --checkpoints and --cache, as a user gives them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/small_corpus.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class EvalOfProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    write_tiny_model(home_ / "base", {.pooling = "mean"});
    write_small_corpus(home_ / "data");
  }

  std::string at(const std::string& name) const { return (home_ / name).string(); }
  Words eval(const Words& more) const {
    Words words{"eval", "--data_path", at("data"), "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  /// Three epochs of eight steps, and a checkpoint in the middle of the second.
  void train() const {
    const Outcome outcome = sgpt({"train",
                                  "--model_name",
                                  at("base"),
                                  "--train_data",
                                  at("data"),
                                  "--specb",
                                  "--pooling",
                                  "weightedmean",
                                  "--threads",
                                  "1",
                                  "--epochs",
                                  "3",
                                  "--freezenonbias",
                                  "--lr",
                                  "1e-2",
                                  "--model_save_path",
                                  at("mine"),
                                  "--train_batch_size",
                                  "4",
                                  "--warmup_steps",
                                  "1",
                                  "--checkpoint_save_steps",
                                  "12"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }

  TempFolder home_;
};

TEST_F(EvalOfProgram, EveryCheckpointIsEvaluatedAndTheBestTakenOut) {
  train();
  const Outcome outcome =
      sgpt(eval({"--checkpoints", at("mine.checkpoints"), "--save_best", at("best"), "--run_file", at("run.trec")}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto ndcgs = nlohmann::json::parse(outcome.out).at("ndcgs");
  ASSERT_EQ(ndcgs.size(), 4u) << outcome.out;
  double highest = 0;
  for (const char* step : {"mine/step-8", "mine/step-12", "mine/step-16", "mine/step-24"}) {
    highest = std::max(highest, ndcgs.at(step).at("data").at("NDCG@10").get<double>());
  }
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("1 + 4 steps"), HasSubstr("NDCG@10"), HasSubstr("  best\n")));
  EXPECT_TRUE(fs::exists(home_ / "run_step-12.trec"));

  // The folder that came out is the model that was found best: pooling, brackets, card and all.
  const Outcome best = sgpt(eval({"--model", at("best")}));
  ASSERT_EQ(best.status, 0) << best.err;
  EXPECT_EQ(nlohmann::json::parse(best.out).at("ndcgs").at("best").at("data").at("NDCG@10").get<double>(), highest);
}

TEST_F(EvalOfProgram, TheLastCheckpointIsTheModelThatTrainingSaved) {
  train();
  for (const char* step : {"step-8", "step-12", "step-16"}) fs::remove_all(home_ / "mine.checkpoints" / step);
  const Outcome last = sgpt(eval({"--checkpoints", at("mine"), "--save_best", at("best")}));
  ASSERT_EQ(last.status, 0) << last.err;
  EXPECT_EQ(text_of(home_ / "best" / "model.safetensors"), text_of(home_ / "mine" / "model.safetensors"));
  EXPECT_EQ(text_of(home_ / "best" / "1_Pooling" / "config.json"),
            text_of(home_ / "mine" / "1_Pooling" / "config.json"));
  // The cards differ in the folder's name alone, which the command to train is free of.
  std::string card = text_of(home_ / "best" / "README.md");
  for (std::size_t at = card.find("--model best"); at != card.npos; at = card.find("--model best", at)) {
    card.replace(at, 12, "--model mine");
  }
  const std::size_t python = card.find("SentenceTransformer(\"best\")");
  ASSERT_NE(python, card.npos);
  card.replace(python, 27, "SentenceTransformer(\"mine\")");
  EXPECT_EQ(card, text_of(home_ / "mine" / "README.md"));
  const Outcome saved = sgpt(eval({"--model", at("mine")}));
  EXPECT_EQ(nlohmann::json::parse(last.out).at("ndcgs").at("mine/step-24"),
            nlohmann::json::parse(saved.out).at("ndcgs").at("mine"));
}

TEST_F(EvalOfProgram, RanksEvaluateCheckpointsTogether) {
  train();
  const Words words = eval({"--checkpoints", at("mine.checkpoints")});
  const Outcome several = run_command(under_mpirun(2, words));
  if (several.status == 126) GTEST_SKIP() << "there is no mpirun";
  if (several.err.find("built without MPI") != std::string::npos) GTEST_SKIP() << "sgpt was built without MPI";
  ASSERT_EQ(several.status, 0) << several.err;
  EXPECT_EQ(several.out, sgpt(words).out);
}

TEST_F(EvalOfProgram, CheckpointMistakesAreNamed) {
  const auto message = [&](const Words& more) {
    const Outcome outcome = sgpt(eval(more));
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(message({}), HasSubstr("--model names the model to evaluate, or --checkpoints a training run"));
  EXPECT_THAT(message({"--checkpoints", at("data")}), HasSubstr("no whole checkpoint step-N in " + at("data")));
  EXPECT_THAT(message({"--model", at("base"), "--save_best", at("best")}), HasSubstr("--checkpoints"));
  train();
  const std::string run = at("mine.checkpoints");
  EXPECT_THAT(message({"--checkpoints", run, "--cache"}), HasSubstr("--cache"));
  EXPECT_THAT(message({"--checkpoints", run, "--save_best", at("mine")}), HasSubstr("not empty"));
  write_tiny_model(home_ / "other", {.seed = 2});
  EXPECT_THAT(message({"--checkpoints", run, "--model", at("other")}), HasSubstr("is not the model that the run of"));
  fs::rename(home_ / "base", home_ / "moved");
  EXPECT_THAT(message({"--checkpoints", run}), AllOf(HasSubstr(at("base")), HasSubstr("--model")));
  // Broken ones are passed over by name, the others are evaluated.
  fs::resize_file(home_ / "mine.checkpoints" / "step-12" / "trained.safetensors", 100);
  const Outcome outcome = sgpt(eval({"--checkpoints", run, "--model", at("moved")}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("broken checkpoint passed over"), HasSubstr("step-12")));
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("ndcgs").size(), 3u);
}

TEST_F(EvalOfProgram, TheCacheIsSharedWithSearch) {
  const fs::path cache = home_ / "data" / "corpus.jsonl.base.sgpt-cache";
  const Outcome plain = sgpt(eval({"--model", at("base")}));
  EXPECT_FALSE(fs::exists(cache));
  const Outcome first = sgpt(eval({"--cache", "--model", at("base")}));
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(first.out, plain.out);
  ASSERT_TRUE(fs::exists(cache));
  EXPECT_THAT(first.err, HasSubstr("embedding the corpus"));
  for (const Outcome& next : {sgpt(eval({"--model", at("base"), "--cache"})),
                              sgpt({"search", "--model", at("base"), "--corpus", at("data/corpus.jsonl"), "lamp"})}) {
    EXPECT_EQ(next.status, 0) << next.err;
    EXPECT_THAT(next.err, ::testing::Not(HasSubstr("embedding the corpus")));
  }
  EXPECT_EQ(sgpt(eval({"--model", at("base"), "--cache", at("elsewhere")})).out, plain.out);
  EXPECT_EQ(text_of(home_ / "elsewhere"), text_of(cache));
}

TEST_F(EvalOfProgram, AKilledEvaluationGoesOnFromItsCache) {
  std::ofstream corpus(home_ / "data" / "corpus.jsonl", std::ios::app);
  for (int i = 0; i < 20000; ++i) corpus << R"({"_id": "more)" << i << R"(", "text": "one more thing )" << i << "\"}\n";
  corpus.close();
  const Words words = eval({"--model", at("base"), "--cache", at("cache")});
  RunningCommand killed(sgpt_command(words));
  const fs::path partial = home_ / "cache.partial";
  std::error_code none;
  for (int i = 0; i < 6000 && !(fs::exists(partial) && fs::file_size(partial, none) > 100000); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  killed.send(SIGKILL);
  if (killed.wait().status == 0) GTEST_SKIP() << "the evaluation was faster";
  EXPECT_FALSE(fs::exists(home_ / "cache"));
  const Outcome again = sgpt(words);
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("documents were embedded before"));
  EXPECT_EQ(again.out, sgpt(eval({"--model", at("base")})).out);
}

}  // namespace
}  // namespace sgpt::testing
