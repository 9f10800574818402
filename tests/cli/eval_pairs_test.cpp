// sgpt eval --sts and --useb: what is printed, what is written, and which options go together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "fixtures.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

class EvalPairs : public ::testing::Test {
 protected:
  void SetUp() override {
    write_tiny_model(home_ / "SGPT-125M-weightedmean-nli-bitfit");
    home_.write("sts.tsv",
                "split\tscore\tsentence1\tsentence2\n"
                "test\t5\tthe river\tthe river\ntest\t1\tsand\tanother thing\ntest\t3\ta wing\ta wind\n");
  }

  Outcome eval(Words more) const {
    more.insert(more.begin(), {"eval", "--model", at("SGPT-125M-weightedmean-nli-bitfit")});
    return sgpt(more);
  }
  std::string at(const std::string& name) const { return (home_ / name).string(); }
  std::string text_of(const std::string& name) const {
    std::ifstream file(home_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TempFolder home_;
};

TEST_F(EvalPairs, StsIsPrintedOrAddedToACsvFile) {
  const Outcome printed = eval({"--sts", at("sts.tsv")});
  ASSERT_EQ(printed.status, 0) << printed.err;
  const auto json = nlohmann::json::parse(printed.out);
  EXPECT_EQ(json["pairs"], 3);
  EXPECT_GT(json["cosine_spearman"], 0);
  EXPECT_THAT(printed.err, HasSubstr("published with"));
  EXPECT_THAT(printed.err, HasSubstr("0.79540"));
  for (int i = 0; i < 2; ++i) ASSERT_EQ(eval({"--sts", at("sts.tsv"), "--output", home_.path().string()}).status, 0);
  const std::string csv = text_of("similarity_evaluation_sts-test_results.csv");
  EXPECT_THAT(csv, StartsWith("epoch,steps,cosine_pearson,cosine_spearman,euclidean_pearson,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  ASSERT_EQ(eval({"--sts", at("sts.tsv"), "--output", at("sts.json")}).status, 0);
  EXPECT_EQ(text_of("sts.json"), printed.out);
}

TEST_F(EvalPairs, WrongInputIsToldInOneSentence) {
  const auto expect = [&](const Words& words, const std::string& said) {
    const Outcome outcome = eval(words);
    EXPECT_EQ(outcome.status, 2) << said;
    EXPECT_THAT(outcome.err, AllOf(StartsWith("sgpt: "), HasSubstr(said)));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  };
  expect({}, "--sts");
  expect({"--sts", at("absent.tsv")}, "absent.tsv");
  expect({"--sts", home_.write("empty.tsv", "").string()}, "empty");
  expect({"--sts", at("sts.tsv"), "--split", "dev"}, "dev");
  expect({"--sts", at("sts.tsv"), "--output", at("sts.tsv")}, "sts.tsv");
  expect({"--sts", at("sts.tsv"), "--data_path", "x"}, "--data_path");
  expect({"--sts", at("sts.tsv"), "--useb", "x"}, "--useb");
  expect({"--useb", at("absent")}, "absent");
  expect({"--useb", home_.path().string()}, "askubuntu");
  expect({"--useb", home_.path().string(), "--split", "train"}, "test and valid");
  EXPECT_THAT(text_of("sts.tsv"), StartsWith("split\t"));
}

TEST_F(EvalPairs, UsebWritesTheReferencesTwoFiles) {
  for (const fs::path& root : fixture_roots()) {
    if (!fs::exists(root / "useb" / "data-eval")) continue;
    const Outcome outcome = eval({"--useb", (root / "useb" / "data-eval").string(), "--output", at("results")});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("published"), HasSubstr("51.1075")));
    const auto main = nlohmann::json::parse(text_of("results/results.average_precision.json"));
    const auto detailed = nlohmann::json::parse(text_of("results/results.detailed.json"));
    EXPECT_EQ(main.size(), 5u);
    EXPECT_EQ(main["scidocs"], detailed["scidocs"]["map_scidocs_cosine_avg"]);
    const Outcome raw = eval({"--useb", (root / "useb" / "data-eval").string(), "--notnormalize"});
    ASSERT_EQ(raw.status, 0) << raw.err;
    const auto printed = nlohmann::json::parse(raw.out);
    EXPECT_EQ(printed["average_precision"], main);
    EXPECT_NE(printed["detailed"]["scidocs"], detailed["scidocs"]);
    return;
  }
  GTEST_SKIP() << "no golden case of USEB is here";
}

}  // namespace
}  // namespace sgpt::testing
