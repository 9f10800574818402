// Training from files in the form of MS MARCO's, which scripts/make_msmarco.pl makes of a BEIR folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "cli/program.h"
#include "cli/small_corpus.h"
#include "fixtures.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class MsMarcoTraining : public ::testing::Test {
 protected:
  void SetUp() override {
    write_tiny_model(home_ / "model");
    write_small_corpus(home_ / "beir");
    const auto script = testing::repository() / "scripts";
    const std::string command = "perl '" + (script / "make_msmarco.pl").string() + "' '" + at("beir") + "' '" +
                                at("msmarco-data") + "' --passages 300 --queries 40 2> /dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }

  std::string at(const std::string& name) const { return (home_ / name).string(); }

  Outcome train(const std::string& target, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"train",       "--model_name",     at("model"),
                                   "--data_path", at("msmarco-data"), "--model_save_path",
                                   at(target),    "--specb",          "--train_batch_size",
                                   "8",           "--epochs",         "1",
                                   "--gradcache", "--chunksize",      "4"};
    words.insert(words.end(), more.begin(), more.end());
    return sgpt(words);
  }

  std::string weights(const std::string& target) const {
    std::ifstream file(home_ / target / "model.safetensors", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TempFolder home_;
};

TEST_F(MsMarcoTraining, TheSecondRunUsesWhatTheFirstFoundAndEndsTheSame) {
  const Outcome first = train("first");
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.err, AllOf(HasSubstr("indexing the passages"), HasSubstr("reading the cross-encoder's scores")));
  const Outcome second = train("second");
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_THAT(second.err, AllOf(Not(HasSubstr("indexing")), Not(HasSubstr("cross-encoder"))));
  EXPECT_FALSE(weights("first").empty());
  EXPECT_EQ(weights("first"), weights("second"));
}

TEST_F(MsMarcoTraining, OptionsOfTheReference) {
  const Outcome few = train("few", {"--train_dataset_max_size", "8", "--ce-score-margin", "1.5", "--negs_to_use",
                                    "bm25,msmarco-MiniLM-L-6-v3", "--num_negs_per_system", "2", "--use_all_queries"});
  EXPECT_EQ(few.status, 0) << few.err;
  EXPECT_THAT(few.err, AllOf(HasSubstr("8 training queries"), HasSubstr("epochs of 1 steps")));

  const Outcome unknown = train("unknown", {"--negs_to_use", "bm26"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("no negatives of the system 'bm26'; there are bm25, "));
  EXPECT_EQ(train("none", {"--num_negs_per_system", "0"}).status, 2);
  EXPECT_EQ(train("none", {"--ce_score_margin", "nan"}).status, 2);
  EXPECT_EQ(train("none", {"--negs_to_use", "bm25,,x"}).status, 2);
  EXPECT_EQ(train("none", {"--negatives_per_query", "2"}).status, 2);
  const Outcome both = train("none", {"--train_data", at("beir")});
  EXPECT_EQ(both.status, 2);
  EXPECT_THAT(both.err, HasSubstr("--train_data"));
  EXPECT_FALSE(std::filesystem::exists(home_ / "none"));
}

TEST_F(MsMarcoTraining, AMissingFileIsNamed) {
  std::filesystem::remove(home_ / "msmarco-data" / "queries.train.tsv");
  const Outcome outcome = train("out");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("queries.train.tsv is missing"));
  EXPECT_FALSE(std::filesystem::exists(home_ / "out"));
}

}  // namespace
}  // namespace sgpt::testing
