// A training program that is killed or asked to stop, at any moment, and started again with --resume.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "backend/backend.h"
#include "cli/program.h"
#include "cli/small_training.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ResumedProgram : public ::testing::Test {
 protected:
  std::vector<std::string> command(const std::string& target, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> options{"--train_batch_size", "10", "--epochs", "40"};
    options.insert(options.end(), more.begin(), more.end());
    return home_.command(target, options);
  }

  /// Waits until the run has made some steps.
  void await_steps(const std::string& target, std::size_t steps) const {
    for (int i = 0; i < 3000; ++i) {
      const std::string log = text_of(home_.log(target));
      if (static_cast<std::size_t>(std::count(log.begin(), log.end(), '\n')) >= steps) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL() << "no steps were made";
  }

  SmallTraining home_;
};

TEST_F(ResumedProgram, KilledAtRandomMomentsItEndsWithTheSameFile) {
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(sgpt(command("whole", {"--no_checkpoints"})).status, 0);
  const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<std::int64_t> moment(1, std::max<std::int64_t>(2, duration.count() * 2 / 3));
  int killed = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    RunningCommand run(sgpt_command(command("killed", {"--resume", "--checkpoint_save_steps", "2"})));
    std::this_thread::sleep_for(std::chrono::milliseconds(moment(random)));
    run.send(SIGKILL);
    const Outcome outcome = run.wait();
    if (outcome.status == 0) break;  // it was faster
    ASSERT_EQ(outcome.status, 128 + SIGKILL) << outcome.err;
    ++killed;
    EXPECT_FALSE(fs::exists(home_ / "killed") && !fs::exists(home_ / "killed" / "model.safetensors"));
  }
  EXPECT_GT(killed, 0);
  if (!fs::exists(home_ / "killed")) {
    const Outcome last = sgpt(command("killed", {"--resume", "--checkpoint_save_steps", "2"}));
    ASSERT_EQ(last.status, 0) << last.err;
  }
  EXPECT_EQ(home_.weights("killed"), home_.weights("whole"));
}

TEST_F(ResumedProgram, ASignalFinishesTheStepSavesAndEndsWithItsStatus) {
  ASSERT_EQ(sgpt(command("whole", {"--no_checkpoints"})).status, 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string target = signal == SIGINT ? "interrupted" : "terminated";
    RunningCommand run(sgpt_command(command(target, {"--checkpoint_save_total_limit", "1"})));
    await_steps(target, 3);
    run.send(signal);
    const Outcome outcome = run.wait();
    if (outcome.status == 0) GTEST_SKIP() << "the run ended before the signal came";
    EXPECT_EQ(outcome.status, 128 + signal) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("--resume"));
    EXPECT_FALSE(fs::exists(home_ / target));
    const std::string log = text_of(home_.log(target));
    const auto steps = std::count(log.begin(), log.end(), '\n');
    EXPECT_TRUE(fs::exists(home_ / (target + ".checkpoints") / ("step-" + std::to_string(steps))));
    ASSERT_EQ(sgpt(command(target, {"--resume"})).status, 0);
    EXPECT_EQ(home_.weights(target), home_.weights("whole"));
  }
}

TEST_F(ResumedProgram, ASignalWhileTheClientOfWandbStartsEndsItWithASentence) {
  fs::create_directory(home_ / "bin");
  // In place of Python: a client that never gets ready, before or after it was imported.
  std::ofstream(home_ / "bin" / "python3") << R"(#!/bin/sh
if [ "$IMPORTS" = yes ]; then echo '{"imported": "1"}' >&0; read -r line; fi
echo > "$WAITS"
exec sleep 1000
)";
  fs::permissions(home_ / "bin" / "python3", fs::perms::owner_all);
  for (const std::string imports : {"no", "yes"}) {
    const std::string target = "imports-" + imports;
    const fs::path waits = home_ / (target + ".waits");
    std::vector<std::string> words{"env", "IMPORTS=" + imports, "WAITS=" + waits.string(),
                                   "PATH=" + (home_ / "bin").string() + ":" + std::getenv("PATH")};
    for (const std::string& word : sgpt_command(command(target, {"--wandb"}))) words.push_back(word);
    RunningCommand run(words);
    for (int i = 0; i < 3000 && !fs::exists(waits); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(fs::exists(waits));
    run.send(SIGINT);
    const Outcome outcome = run.wait();
    EXPECT_EQ(outcome.status, 128 + SIGINT);
    EXPECT_THAT(outcome.err, HasSubstr(imports == "no" ? "stopped by a signal before the run began; the same"
                                                       : "stopped by a signal after 0 steps; there was nothing to"));
    EXPECT_FALSE(fs::exists(home_ / target));
    EXPECT_FALSE(fs::exists(home_ / (target + ".checkpoints")));
  }
}

TEST_F(ResumedProgram, TheTypeThatIsComputedInIsPartOfTheRun) {
  if (!make_backend("cpu")->computes(ComputeType::bf16)) GTEST_SKIP() << "this processor has no bf16 instructions";
  const std::vector<std::string> halves{"--epochs", "4", "--dtype", "bf16"};
  ASSERT_EQ(sgpt(home_.command("whole", halves)).status, 0);
  ASSERT_EQ(sgpt(home_.command("again", halves)).status, 0);
  EXPECT_EQ(home_.weights("again"), home_.weights("whole"));
  fs::remove_all(home_ / "again");
  ASSERT_EQ(sgpt(home_.command("exact", {"--epochs", "4"})).status, 0);
  EXPECT_NE(home_.weights("exact"), home_.weights("whole"));
  fs::remove_all(home_ / "again.checkpoints" / "step-4");
  const Outcome other = sgpt(home_.command("again", {"--epochs", "4", "--resume"}));
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("--dtype is bf16 in the checkpoint, but f32 now"));
  ASSERT_EQ(sgpt(home_.command("again", {"--epochs", "4", "--dtype", "bf16", "--resume"})).status, 0);
  EXPECT_EQ(home_.weights("again"), home_.weights("whole"));
}

TEST_F(ResumedProgram, ATypeThatCannotBeTrainedInIsRefused) {
  const Outcome plain = sgpt(home_.command("target", {"--backend", "reference", "--dtype", "bf16"}));
  EXPECT_EQ(plain.status, 2);
  EXPECT_THAT(plain.err, HasSubstr("the reference backend cannot compute in bf16 on this machine; f32 always works"));
  EXPECT_EQ(sgpt(home_.command("target", {"--dtype", "int8"})).status, 2);
}

}  // namespace
}  // namespace sgpt::testing
