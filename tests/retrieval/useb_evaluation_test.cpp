// USEB: the golden numbers of its package, and what is said of broken data.
#include "retrieval/useb_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "fixtures.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

nlohmann::ordered_json golden_of(const fs::path& root) {
  return nlohmann::ordered_json::parse(std::ifstream(root / "useb" / "case.json"));
}

Encoder encoder_of(const nlohmann::ordered_json& golden) {
  for (const fs::path& root : fixture_roots()) {
    const fs::path model = root / golden["model"].get<std::string>();
    if (!fs::exists(model)) continue;
    return Encoder::load(model, {.brackets = golden["brackets"].get<bool>(),
                                 .normalize = true,
                                 .max_seq_length = golden["max_seq_length"].get<std::int64_t>()});
  }
  throw std::runtime_error("no fixture is called " + golden["model"].get<std::string>());
}

TEST(UsebEvaluation, EqualsThePackagesNumbers) {
  std::size_t cases = 0;
  for (const fs::path& root : fixture_roots()) {
    if (!fs::exists(root / "useb" / "case.json")) continue;
    ++cases;
    const auto golden = golden_of(root);
    const Encoder encoder = encoder_of(golden);
    for (const auto& [part, name] : {std::pair(UsebPart::test, "test"), std::pair(UsebPart::valid, "valid")}) {
      const UsebResult result = UsebData(root / "useb" / "data-eval", part).evaluate(encoder);
      for (const UsebResult::Task& task : result.tasks) {
        const auto& expected = golden["expected"][task.name];
        EXPECT_EQ(task.main_metric, expected["main_metric"]);
        ASSERT_EQ(task.values.size(), expected[name].size()) << task.name;
        auto value = task.values.begin();
        for (const auto& [metric, number] : expected[name].items()) {
          EXPECT_EQ(value->first, metric);
          EXPECT_NEAR(value->second, number.get<double>(), 1e-6) << metric << ", " << name;
          ++value;
        }
      }
      if (part != UsebPart::test) continue;
      EXPECT_EQ(result.average_precision_json(), golden["average_precision"].dump(4));
      nlohmann::ordered_json detailed;
      for (const UsebResult::Task& task : result.tasks) {
        detailed[task.name] = golden["expected"][task.name]["test_rounded_percent"];
      }
      EXPECT_EQ(result.detailed_json(), detailed.dump(4));
    }
  }
  if (cases == 0) GTEST_SKIP() << "no golden case of USEB is here";
}

TEST(UsebEvaluation, EqualScoresAreOneThreshold) {
  // sklearn.metrics.average_precision_score
  const std::vector<float> scores{0.9F, 0.8F, 0.8F, 0.5F, 0.5F, 0.1F};
  EXPECT_NEAR(average_precision(scores, {true, false, true, true, false, true}), 0.7333333333333333, 1e-12);
  EXPECT_EQ(average_precision(scores, std::vector<bool>(6)), 0);
}

/// A small data-eval of our own, in which a test breaks one file.
class UsebFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"askubuntu", "cqadupstack", "twitterpara", "scidocs"}) {
      fs::create_directories(home_ / name);
    }
    home_.write("askubuntu/text_tokenized.txt", "1\tone\tbody\n2\ttwo\tbody\n3\tthree\tbody\n");
    home_.write("askubuntu/test.txt", "1\t2\t3 2\t0.5 0.25\n3\t\t1 2\t1 1\n");
    home_.write("cqadupstack/corpus.json", R"({"tex": {"a": "one", "b": "two", "c": "three"}})");
    home_.write("cqadupstack/retrieval_split.json", R"({"test": {"tex": {"a": ["b"]}}})");
    home_.write("twitterpara/Twitter_URL_Corpus_test.txt", "x\ty\t(5, 6)\turl\nx\tz\t(1, 6)\turl\n");
    home_.write("twitterpara/test.data", "0\tt\tx\ty\t4\ttags\n1\tt\tx\tz\t0\ttags\n");
    home_.write("twitterpara/test.label", "");
    home_.write("scidocs/data.json",
                R"({"corpus": {"p": {"title": "one"}, "q": {"title": "two"}, "r": {"title": null}},
                    "test": {"cite": {"p": {"q": 1, "r": 0}}}})");
  }

  std::string error_with(const std::string& file, const std::string& text) {
    SetUp();
    home_.write(file, text);
    return error();
  }
  std::string error() {
    try {
      UsebData(home_.path(), UsebPart::test);
    } catch (const UserError& error) {
      return error.what();
    }
    return "none";
  }

  TempFolder home_;
};

TEST_F(UsebFiles, MistakesAreToldWithTheirPlace) {
  EXPECT_EQ(error(), "none");
  EXPECT_THAT(error_with("askubuntu/text_tokenized.txt", "1\tone\n"),
              HasSubstr("text_tokenized.txt:1: expected an id"));
  EXPECT_THAT(error_with("askubuntu/test.txt", "1\t2\t3 2\t0.5\n"), HasSubstr("test.txt:1: expected a BM25 score"));
  EXPECT_THAT(error_with("askubuntu/test.txt", "1\t2\t3 2\t0.5 x\n"), HasSubstr("\"x\" is no number"));
  EXPECT_THAT(error_with("askubuntu/test.txt", "1\t2\t3 4\t1 1\n"), HasSubstr("question 4 is not in"));
  EXPECT_THAT(error_with("askubuntu/test.txt", "1\t2\t3 3\t1 1\n"), HasSubstr("none of the relevant"));
  EXPECT_THAT(error_with("cqadupstack/corpus.json", "{"), HasSubstr("corpus.json: no valid JSON"));
  EXPECT_THAT(error_with("cqadupstack/corpus.json", R"({"tex": {"a": 1}})"), HasSubstr("tex"));
  EXPECT_THAT(error_with("cqadupstack/retrieval_split.json", R"({"valid": {}})"), HasSubstr("test"));
  EXPECT_THAT(error_with("cqadupstack/retrieval_split.json", R"({"test": {"tex": {"z": []}}})"),
              HasSubstr("not in the forum's corpus"));
  EXPECT_THAT(error_with("twitterpara/test.data", "0\tt\tx\ty\thigh\n"),
              AllOf(HasSubstr("test.data:1"), HasSubstr("\"high\" is no whole number")));
  EXPECT_THAT(error_with("twitterpara/Twitter_URL_Corpus_test.txt", "x\ty\n"), HasSubstr("found 2 columns"));
  EXPECT_THAT(error_with("twitterpara/test.data", ""), HasSubstr("found no pair"));
  EXPECT_THAT(error_with("scidocs/data.json", R"({"corpus": {}, "test": {"cite": {"p": {"q": 1}}}})"),
              HasSubstr("none of its queries has a title"));
  SetUp();
  fs::remove(home_ / "twitterpara/test.label");
  EXPECT_THAT(error(), HasSubstr("test.label"));
  fs::remove_all(home_ / "scidocs");
  EXPECT_THAT(error(), HasSubstr("no folder scidocs"));
}

}  // namespace
}  // namespace sgpt::testing
