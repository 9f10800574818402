// sgpt train --nli: the command of the published symmetric models, word for word but for the launcher, the size of the
// model and of the data; what ends it, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/small_training.h"
#include "nli_files.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

constexpr const char* kDev = "eval/similarity_evaluation_sts-dev_results.csv";
constexpr const char* kTest = "similarity_evaluation_sts-test_results.csv";

class NliProgram : public ::testing::Test {
 protected:
  NliProgram() {
    write_tiny_model(home_.path() / "EleutherAI/gpt-neo-125m");
    write_small_nli(home_.path() / "data");
  }

  /// In the home folder, and with the client of Weights & Biases kept from the network.
  Words here(const Words& command) const {
    Words words{"env", "-C", home_.path().string(), "WANDB_MODE=offline", "OMP_NUM_THREADS=1"};
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }

  /// A run that writes `target`, with these options more.
  static Words command(const std::string& target, const Words& more = {}) {
    Words words{"train",
                "--model_name",
                "EleutherAI/gpt-neo-125m",
                "--model_save_path",
                target,
                "--freezenonbias",
                "--pooling",
                "weightedmean",
                "--train_batch_size",
                "4",
                "--lr",
                "2e-2",
                "--log_file",
                target + ".jsonl",
                "--seed",
                "3"};
    words.insert(words.end(), more.begin(), more.end());
    if (std::find(more.begin(), more.end(), "--nli") == more.end()) words.emplace_back("--nli");
    return words;
  }

  Outcome run(const Words& words) const { return run_command(here(sgpt_command(words))); }
  std::string content(const std::string& name) const { return text_of(home_ / name); }

  TempFolder home_;
};

TEST_F(NliProgram, TheCardsCommandEndsWithTheModelItsScoresAndItsCard) {
  Words options{"train",
                "--nli",
                "--model_name",
                "EleutherAI/gpt-neo-125m",
                "--freezenonbias",
                "--train_batch_size",
                "8",
                "--lr",
                "32e-5",
                "--pooling",
                "weightedmean",
                "--wandb",
                "--wandbwatchlog",
                "gradients",
                "--gradcache",
                "--chunksize",
                "4"};
  const bool client = run_command({"python3", "-c", "import wandb; wandb.init"}).status == 0;
  if (!client) std::erase(options, "--wandb");  // its own tests say how it is refused then
  const bool several = run_command(under_mpirun(2, {"--version"})).status == 0;
  const Outcome outcome = run_command(here(several ? under_mpirun(2, options) : sgpt_command(options)));
  ASSERT_EQ(outcome.status, 0) << outcome.err;

  const fs::path model = home_ / "output/training_nli_v2_EleutherAI-gpt-neo-125m";
  EXPECT_GT(fs::file_size(model / "model.safetensors"), 0u);
  EXPECT_THAT(text_of(model / kDev),
              StartsWith("epoch,steps,cosine_pearson,cosine_spearman,euclidean_pearson,euclidean_spearman,"
                         "manhattan_pearson,manhattan_spearman,dot_pearson,dot_spearman\r\n0,-1,"));  // 5 steps
  const std::string test = text_of(model / kTest);
  EXPECT_THAT(test, HasSubstr("\r\n-1,-1,"));
  EXPECT_THAT(text_of(model / "README.md"),
              AllOf(HasSubstr("--wandbwatchlog gradients --gradcache --chunksize 4"), HasSubstr("of length 5 with"),
                    HasSubstr("'max_seq_length': 75"), HasSubstr("'batch_size': 8")));
  EXPECT_THAT(text_of(model / "sgpt_config.json"), HasSubstr("\"brackets\": false"));
  EXPECT_EQ(text_of(fs::path(model.string() + ".run") / "evaluation.json"), outcome.out);
  EXPECT_THAT(outcome.out, HasSubstr("sts-test_cosine_spearman"));

  // sgpt eval finds the same scores.
  const Outcome evaluated = run({"eval", "--model", model.string(), "--sts", "data/stsbenchmark.tsv"});
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  const auto own = nlohmann::json::parse(outcome.out);
  const auto found = nlohmann::json::parse(evaluated.out);
  for (const auto& [name, value] : own.items()) {
    EXPECT_NEAR(value.get<double>(), found[name.substr(std::string("sts-test_").size())].get<double>(), 1e-5) << name;
  }
}

TEST_F(NliProgram, FilesAreFoundBesideOrAreNamed) {
  fs::rename(home_ / "data", home_ / "elsewhere");
  const Outcome missing = run(command("model"));
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.err,
              AllOf(HasSubstr("data/AllNLI.tsv.gz"), HasSubstr("datasets/AllNLI.tsv.gz"), HasSubstr("name the file")));
  const Outcome beside = run(command("model", {"--nli", "elsewhere/AllNLI.tsv"}));
  ASSERT_EQ(beside.status, 0) << beside.err;
  EXPECT_TRUE(fs::exists(home_ / "model" / kTest));
  fs::rename(home_ / "elsewhere/stsbenchmark.tsv", home_ / "pairs.tsv");
  EXPECT_THAT(run(command("next", {"--nli", "elsewhere/AllNLI.tsv"})).err, HasSubstr("--sts: found neither of"));
  const Outcome named = run(command("next", {"--nli", "elsewhere/AllNLI.tsv", "--sts", "pairs.tsv"}));
  ASSERT_EQ(named.status, 0) << named.err;
  EXPECT_EQ(content("next/model.safetensors"), content("model/model.safetensors"));
  const Outcome none = run(command("last", {"--nli", "elsewhere/AllNLI.tsv", "--sts", "none"}));
  ASSERT_EQ(none.status, 0) << none.err;
  EXPECT_EQ(none.out, "");
  EXPECT_FALSE(fs::exists(home_ / "last" / kTest));
}

TEST_F(NliProgram, TheRecipesNumbersGiveWayToTheUsers) {
  const Outcome outcome = run(command("model", {"--epochs", "3", "--max_seq_length", "20", "--evaluation_steps", "0",
                                                "--warmup_steps", "5", "--gradient_accumulation", "2"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string card = content("model/README.md");
  EXPECT_THAT(card, AllOf(HasSubstr("\"epochs\": 3"), HasSubstr("'max_seq_length': 20"),
                          HasSubstr("\"warmup_steps\": 5"), HasSubstr("\"gradient_accumulation\": 2")));
  const std::string csv = content(std::string("model/") + kDev);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 4);
  const std::string log = content("model.jsonl");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 15);  // 3 epochs of 10 batches, two a step
}

TEST_F(NliProgram, WithoutTrainingTheModelIsScoredAsItIs) {
  const Outcome outcome = run(command("model", {"--no_training"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_FALSE(fs::exists(home_ / "model"));
  EXPECT_EQ(content("model.run/evaluation.json"), outcome.out);
  const auto scores = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(scores.size(), 16u);
  for (const std::string part : {"dev", "test"}) {
    const Outcome evaluated = run({"eval", "--model", "EleutherAI/gpt-neo-125m", "--sts", "data/stsbenchmark.tsv",
                                   "--split", part, "--max_seq_length", "75"});
    ASSERT_EQ(evaluated.status, 0) << evaluated.err;
    EXPECT_NEAR(scores["sts-" + part + "_cosine_spearman"].get<double>(),
                nlohmann::json::parse(evaluated.out)["cosine_spearman"].get<double>(), 1e-5);
  }
}

TEST_F(NliProgram, KilledAndResumedItEndsWithTheSameFiles) {
  const Words more{"--epochs", "40", "--checkpoint_save_steps", "7", "--checkpoint_save_total_limit", "2"};
  const Outcome whole = run(command("whole", more));
  ASSERT_EQ(whole.status, 0) << whole.err;
  Words resuming = more;
  resuming.emplace_back("--resume");
  int killed = 0;
  for (const int steps : {3, 60, 230}) {
    RunningCommand running(here(sgpt_command(command("killed", resuming))));
    for (int i = 0; i < 2000; ++i) {
      const std::string log = content("killed.jsonl");
      if (std::count(log.begin(), log.end(), '\n') >= steps) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    running.send(SIGKILL);
    if (running.wait().status != 0) ++killed;
  }
  EXPECT_GT(killed, 0);
  const Outcome last = run(command("killed", resuming));
  ASSERT_EQ(last.status, 0) << last.err;
  for (const std::string& file :
       {std::string("/model.safetensors"), std::string("/") + kDev, std::string("/") + kTest}) {
    EXPECT_EQ(content("killed" + file), content("whole" + file)) << file;
  }

  // Ended between the model and its test: that is made up for.
  fs::remove(home_ / "killed" / kTest);
  const Outcome again = run(command("killed", resuming));
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(content(std::string("killed/") + kTest), content(std::string("whole/") + kTest));
  EXPECT_EQ(again.out, whole.out);
  EXPECT_EQ(run(command("killed", resuming)).out, "");  // and once
}

TEST_F(NliProgram, WhatTheProgramLacksIsRefusedByName) {
  for (const Words& option : {Words{"--learntmean"}, Words{"--addxlinear", "1"}, Words{"--outfeats", "64"},
                              Words{"--linearthenpool"}, Words{"--useact"}, Words{"--asym"}}) {
    const Outcome outcome = run(command("model", option));
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.err, HasSubstr(option[0] + " is not supported: "));
  }
  for (const Words& option : {Words{"--train_data", "data"}, Words{"--data_path", "data"},
                              Words{"--dev_corpus_max_size", "5"}, Words{"--no_duplicates"}}) {
    const Outcome outcome = run(command("model", option));
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.err, HasSubstr(option[0]));
  }
  EXPECT_THAT(run({"train", "--model_name", "EleutherAI/gpt-neo-125m", "--share_examples"}).err, HasSubstr("--nli"));
  EXPECT_FALSE(fs::exists(home_ / "model"));
  const Outcome zero = run(command("model", {"--addxlinear", "0", "--outfeats", "0"}));  // asks for nothing
  EXPECT_EQ(zero.status, 0) << zero.err;
}

TEST_F(NliProgram, OtherDataAccumulateGradientsToo) {
  write_small_corpus(home_ / "corpus");
  const Words words{"train",
                    "--model_name",
                    "EleutherAI/gpt-neo-125m",
                    "--train_data",
                    "corpus",
                    "--freezenonbias",
                    "--model_save_path",
                    "model",
                    "--epochs",
                    "2",
                    "--train_batch_size",
                    "5",
                    "--log_file",
                    "model.jsonl",
                    "--gradient_accumulation",
                    "3"};
  const Outcome outcome = run(words);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string log = content("model.jsonl");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 4);  // 30 examples: 6 batches a pass, three a step
}

}  // namespace
}  // namespace sgpt::testing
