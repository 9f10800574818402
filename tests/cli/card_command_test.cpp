// The command on the published model's card, word for word but for the number of processes and the size of the model
// and of the data, which lie where the command looks for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/program.h"
#include "cli/small_training.h"
#include "fixtures.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class CardCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(home_ / "bigscience");
    fs::rename(home_ / "model", home_ / "bigscience/bloom-7b1");
    const fs::path script = testing::repository() / "scripts/make_msmarco.pl";
    const Outcome made = run_command({"perl", script.string(), (home_ / "data").string(),
                                      (home_ / "msmarco-data").string(), "--passages", "300", "--queries", "40"});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  /// In the home folder, and with the client of Weights & Biases kept from the network.
  std::vector<std::string> here(const std::vector<std::string>& command) const {
    std::vector<std::string> words{"env", "-C", (home_ / ".").string(), "WANDB_MODE=offline", "OMP_NUM_THREADS=1"};
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }

  SmallTraining home_;
};

TEST_F(CardCommand, EndsWithTheModelItsCardItsEvaluationAndItsCurves) {
  std::vector<std::string> options{"train",
                                   "--model_name",
                                   "bigscience/bloom-7b1",
                                   "--train_batch_size",
                                   "32",
                                   "--eval_batch_size",
                                   "16",
                                   "--freezenonbias",
                                   "--specb",
                                   "--lr",
                                   "4e-4",
                                   "--wandb",
                                   "--wandbwatchlog",
                                   "gradients",
                                   "--pooling",
                                   "weightedmean",
                                   "--gradcache",
                                   "--chunksize",
                                   "8"};
  const bool client = run_command({"python3", "-c", "import wandb; wandb.init"}).status == 0;
  if (!client) std::erase(options, "--wandb");  // its own tests say how it is refused then
  const bool several = run_command(under_mpirun(2, {"--version"})).status == 0;
  const Outcome outcome = run_command(here(several ? under_mpirun(2, options) : sgpt_command(options)));
  ASSERT_EQ(outcome.status, 0) << outcome.err;

  const fs::path model = home_ / "output/train_bi-encoder-mnrl-bigscience-bloom-7b1";
  const fs::path run = model.string() + ".run";
  EXPECT_GT(fs::file_size(model / "model.safetensors"), 0u);
  EXPECT_THAT(text_of(model / "README.md"), HasSubstr("--wandbwatchlog gradients --pooling weightedmean --gradcache"));
  EXPECT_THAT(text_of(run / "evaluation.json"), AllOf(HasSubstr("MRR@10"), HasSubstr("NDCG@10")));
  EXPECT_EQ(text_of(run / "evaluation.json"), outcome.out);
  EXPECT_EQ(fs::exists(home_ / "wandb"), client);
  EXPECT_EQ(fs::exists(run / "wandb.json"), client);
  const Outcome report = run_command(here(sgpt_command({"report", run.string(), "--output", "report.html"})));
  EXPECT_EQ(report.status, 0) << report.err;
  EXPECT_NE(text_of(home_ / "report.html").find("Gradients, layer 0"), std::string::npos);
}

TEST_F(CardCommand, WithoutTheClientNothingIsBegun) {
  const Outcome outcome = run_command(
      here({"PATH=/sgpt-no-such-folder", SGPT_PROGRAM, "train", "--model_name", "bigscience/bloom-7b1", "--wandb"}));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("--wandb: python3 cannot be started"), HasSubstr("pip install wandb")));
  EXPECT_FALSE(fs::exists(home_ / "output"));
}

}  // namespace
}  // namespace sgpt::testing
