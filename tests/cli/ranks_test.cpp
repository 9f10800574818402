// Several processes under mpirun: training, encoding, evaluating. (tests/train/ranks_test.cpp and
// tests/encode/encoder_team_test.cpp compare the numbers more closely.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "cli/program.h"
#include "cli/small_training.h"
#include "environment.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::size_t kStepsOfTheSameValues = 2;  // the first one's learning rate is 0

class RanksOfProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    const Outcome outcome = run_command(under_mpirun(2, {"train", "--model_name", "absent", "--train_data", "absent",
                                                         "--model_save_path", (home_ / "never").string()}));
    if (outcome.status == 126) GTEST_SKIP() << "there is no mpirun";
    ASSERT_EQ(outcome.status, 2) << outcome.err;  // a mistake ends all ranks
    if (outcome.err.find("built without MPI") != std::string::npos) GTEST_SKIP() << "sgpt was built without MPI";
    ASSERT_THAT(outcome.err, HasSubstr("absent"));
  }

  std::vector<std::string> command(const std::string& target, int batch, const std::vector<std::string>& more) const {
    std::vector<std::string> options{
        "--train_batch_size", std::to_string(batch), "--specb", "--pooling",      "weightedmean",
        "--gradcache",        "--chunksize",         "2",       "--warmup_steps", "2"};
    options.insert(options.end(), more.begin(), more.end());
    return home_.command(target, options);
  }

  std::vector<nlohmann::json> log_of(const std::string& target) const {
    std::ifstream in(home_.log(target));
    std::vector<nlohmann::json> steps;
    for (std::string line; std::getline(in, line);) steps.push_back(nlohmann::json::parse(line));
    return steps;
  }

  /// Trains with so many ranks, and by one process with their batches together. `tolerance`: once values have changed,
  /// by gradients that were summed in another order.
  void expect_as_one(int ranks, std::vector<std::string> more, double tolerance) const {
    std::string name = "of" + std::to_string(ranks);
    for (const std::string& word : more) name += word;
    more.insert(more.end(), {"--epochs", "3"});
    const Outcome outcome = run_command(under_mpirun(ranks, command(name, 4, more)));
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    ASSERT_EQ(sgpt(command("one-" + name, 4 * ranks, more)).status, 0);
    const auto found = log_of(name);
    const auto expected = log_of("one-" + name);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t step = 0; step < found.size(); ++step) {
      const double near = step < kStepsOfTheSameValues ? 1e-5 : tolerance;
      EXPECT_NEAR(found[step]["loss"].get<double>(), expected[step]["loss"].get<double>(), near);
      EXPECT_NEAR(found[step]["gradient_norm"].get<double>() / expected[step]["gradient_norm"].get<double>(), 1,
                  10 * near);
      EXPECT_EQ(found[step]["tokens"], expected[step]["tokens"]);
    }
    EXPECT_TRUE(fs::exists(home_ / name / "model.safetensors"));
  }

  SmallTraining home_;
};

TEST_F(RanksOfProgram, TwoAndThreeTrainAsOneWithTheirBatchesTogether) {
  // 30 examples: the last step is ragged, and one rank of three has none in it.
  for (const int ranks : {2, 3}) expect_as_one(ranks, {}, 1e-4);
}

TEST_F(RanksOfProgram, AlsoInBf16AndInTheTypeThatTheyChoose) {
  ASSERT_EQ(sgpt({"convert", (home_ / "model").string(), (home_ / "halves").string(), "--dtype", "bf16"}).status, 0);
  fs::rename(home_ / "model", home_ / "floats");
  fs::rename(home_ / "halves", home_ / "model");  // of 16 bits: auto may choose either type
  const bool has_bf16 = make_backend("cpu")->computes(ComputeType::bf16);
  for (const char* type : {"bf16", "auto"}) {
    if (type == std::string("bf16") && !has_bf16) continue;
    SCOPED_TRACE(type);
    const testing::EnvironmentVariable timed("SGPT_CPU_BF16_GAIN", "1.8");  // else two starts may choose differently
    expect_as_one(2, {"--dtype", type}, 1e-3);
  }
}

TEST_F(RanksOfProgram, RanksWithOtherOptionsAreRefusedByName) {
  std::vector<std::string> words = under_mpirun(1, command("differ", 4, {"--seed", "1"}));
  words.push_back(":");
  words.push_back("-n");
  words.push_back("1");
  for (const std::string& word : sgpt_command(command("differ", 4, {"--seed", "2"}))) words.push_back(word);
  const Outcome outcome = run_command(words);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--seed is 1 on rank 0, but 2 on rank 1"));
}

TEST_F(RanksOfProgram, EncodeWritesTheFileOfOneProcess) {
  const auto words = [&](const char* output) {
    return std::vector<std::string>{"encode",
                                    "--model",
                                    (home_ / "model").string(),
                                    "--specb",
                                    "--input",
                                    (home_ / "data" / "corpus.jsonl").string(),
                                    "--output",
                                    (home_ / output).string(),
                                    "--document"};
  };
  ASSERT_EQ(sgpt(words("one.npy")).status, 0);
  for (const int ranks : {2, 3}) {
    const Outcome outcome = run_command(under_mpirun(ranks, words("several.npy")));
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(text_of(home_ / "several.npy"), text_of(home_ / "one.npy"));
    fs::remove(home_ / "several.npy");
  }
}

TEST_F(RanksOfProgram, EvalPrintsAndWritesWhatOneProcessDoes) {
  const auto words = [&](const char* run_file) {
    return std::vector<std::string>{"eval",
                                    "--model",
                                    (home_ / "model").string(),
                                    "--data_path",
                                    (home_ / "data").string(),
                                    "--run_file",
                                    (home_ / run_file).string()};
  };
  const Outcome one = sgpt(words("one.trec"));
  ASSERT_EQ(one.status, 0) << one.err;
  const Outcome several = run_command(under_mpirun(2, words("several.trec")));
  ASSERT_EQ(several.status, 0) << several.err;
  EXPECT_EQ(several.out, one.out);
  EXPECT_EQ(text_of(home_ / "several.trec"), text_of(home_ / "one.trec"));
  const std::string said = "nothing says whether this model was trained with special brackets";
  EXPECT_THAT(several.err, HasSubstr(said));
  EXPECT_EQ(several.err.find(said), several.err.rfind(said));  // by rank 0 alone
}

TEST_F(RanksOfProgram, RerankWritesTheRunOfOneProcess) {
  ASSERT_EQ(
      sgpt({"bm25", "--data_path", (home_ / "data").string(), "--run_file", (home_ / "first.trec").string()}).status,
      0);
  const auto words = [&](const char* run_file) {
    return std::vector<std::string>{"rerank",
                                    "--model",
                                    (home_ / "model").string(),
                                    "--run",
                                    (home_ / "first.trec").string(),
                                    "--data_path",
                                    (home_ / "data").string(),
                                    "--template",
                                    "A",
                                    "--run_file",
                                    (home_ / run_file).string()};
  };
  const Outcome one = sgpt(words("one.trec"));
  ASSERT_EQ(one.status, 0) << one.err;
  for (const int ranks : {2, 3}) {
    const Outcome several = run_command(under_mpirun(ranks, words("several.trec")));
    ASSERT_EQ(several.status, 0) << several.err;
    EXPECT_EQ(several.out, one.out);
    EXPECT_EQ(text_of(home_ / "several.trec"), text_of(home_ / "one.trec"));
    fs::remove(home_ / "several.trec");
  }
}

TEST_F(RanksOfProgram, AMistakeInTheMiddleEndsAllRanksOfEncode) {
  std::ofstream(home_ / "broken.jsonl") << "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\n";
  const Outcome outcome =
      run_command(under_mpirun(2, {"encode", "--model", (home_ / "model").string(), "--document", "--input",
                                   (home_ / "broken.jsonl").string(), "--output", (home_ / "out.npy").string()}));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("broken.jsonl:3"));
  EXPECT_FALSE(fs::exists(home_ / "out.npy"));
}

TEST_F(RanksOfProgram, OtherCommandsAreNotDoneSeveralTimes) {
  const Outcome outcome = run_command(
      under_mpirun(2, {"search", "--model", (home_ / "model").string(), "--corpus",
                       (home_ / "data" / "corpus.jsonl").string(), "--cache", (home_ / "cache").string(), "a lamp"}));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("sgpt search runs as one process"));
  EXPECT_FALSE(fs::exists(home_ / "cache"));
}

TEST_F(RanksOfProgram, ARankThatDiesEndsTheRunWhichGoesOnFromItsCheckpoint) {
  const std::vector<std::string> more{"--epochs", "8", "--checkpoint_save_steps", "6"};
  ASSERT_EQ(run_command(under_mpirun(2, command("whole", 4, more))).status, 0);
  RunningCommand run(under_mpirun(2, command("dies", 4, more)));
  const fs::path checkpoint = home_ / "dies.checkpoints" / "step-4";
  for (int i = 0; i < 6000 && !fs::exists(checkpoint); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_TRUE(fs::exists(checkpoint));
  const std::vector<pid_t> ranks = run.children();
  if (ranks.size() < 2) GTEST_SKIP() << "the kernel does not say which processes mpirun started";
  kill(ranks.back(), SIGKILL);
  const Outcome outcome = run.wait();
  if (outcome.status == 0) GTEST_SKIP() << "the run was faster";
  EXPECT_THAT(outcome.err, HasSubstr("signal 9"));
  EXPECT_FALSE(fs::exists(home_ / "dies"));
  std::vector<std::string> again = more;
  again.push_back("--resume");
  const Outcome resumed = run_command(under_mpirun(2, command("dies", 4, again)));
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("resumed from"));
  EXPECT_EQ(home_.weights("dies"), home_.weights("whole"));
}

}  // namespace
}  // namespace sgpt::testing
