// A training program among others: two at once, logs that cannot be written, a terminal that is gone, a run that is
// done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/program.h"
#include "cli/small_training.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class TrainingProgram : public ::testing::Test {
 protected:
  using Words = std::vector<std::string>;

  Words command(const std::string& target, const Words& more = {}) const {
    Words options{"--train_batch_size", "10", "--epochs", "4"};
    options.insert(options.end(), more.begin(), more.end());
    return home_.command(target, options);
  }

  /// The same with another value of an option.
  static Words with(Words words, const std::string& option, const std::string& value) {
    *(std::find(words.begin(), words.end(), option) + 1) = value;
    return words;
  }

  void await_steps(const std::string& target) const {
    for (int i = 0; i < 3000; ++i) {
      const std::string log = text_of(home_.log(target));
      if (std::count(log.begin(), log.end(), '\n') >= 2) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL() << "no steps were made";
  }

  SmallTraining home_;
};

TEST_F(TrainingProgram, ASecondRunOfTheSameModelIsRefusedAndAKilledOneIsNot) {
  RunningCommand run(sgpt_command(with(command("m", {"--checkpoint_save_steps", "2"}), "--epochs", "100000")));
  await_steps("m");
  for (const bool resumes : {false, true}) {
    const Outcome second = sgpt(command("m", {resumes ? "--resume" : "--no_shuffle"}));
    EXPECT_EQ(second.status, 2);
    EXPECT_THAT(second.err, HasSubstr("another training run is writing this model"));
  }
  run.send(SIGKILL);
  EXPECT_EQ(run.wait().status, 128 + SIGKILL);
  EXPECT_TRUE(fs::exists(home_ / "m.lock"));
  fs::create_directory(home_ / "m.checkpoints" / "step-1.partial-1");
  EXPECT_THAT(sgpt(command("m")).err, HasSubstr("--resume"));  // it is not locked any more
  EXPECT_FALSE(fs::exists(home_ / "m.checkpoints" / "step-1.partial-1"));
  EXPECT_FALSE(fs::exists(home_ / "m.lock"));
}

TEST_F(TrainingProgram, NoObserverEndsARun) {
  ASSERT_EQ(sgpt(command("good")).status, 0);
  const Outcome full = sgpt(with(command("full"), "--log_file", "/dev/full"));
  EXPECT_EQ(full.status, 0);
  EXPECT_THAT(full.err, HasSubstr("warning: /dev/full"));
  EXPECT_EQ(home_.weights("full"), home_.weights("good"));

  std::string line;
  for (const std::string& word : sgpt_command(command("gone"))) line += "'" + word + "' ";
  const std::string status = (home_ / "status").string();
  run_command({"sh", "-c", "(" + line + "2>&1; echo $? >" + status + ") | head -n 1"});
  EXPECT_EQ(text_of(status), "0\n");
  EXPECT_EQ(home_.weights("gone"), home_.weights("good"));
}

TEST_F(TrainingProgram, AFinishedRunSaysSo) {
  ASSERT_EQ(sgpt(command("done")).status, 0);
  const Outcome again = sgpt(command("done", {"--resume"}));
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("the run has finished"));
  EXPECT_THAT(again.err, Not(HasSubstr("saved in")));
}

TEST_F(TrainingProgram, TheLogMayGoToStdoutButOverNoInput) {
  const Outcome shown = sgpt(with(command("shown"), "--log_file", "-"));
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_TRUE(shown.out.starts_with("{\"step\": 0,"));
  const std::string queries = (home_ / "data" / "queries.jsonl").string();
  const std::string before = text_of(queries);
  EXPECT_EQ(sgpt(with(command("over"), "--log_file", queries)).status, 2);
  EXPECT_EQ(text_of(queries), before);
}

}  // namespace
}  // namespace sgpt::testing
