// The dev evaluation: its metrics on hand-made rankings, and its files.
#include "retrieval/dev_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sgpt/error.h"
#include "temp_folder.h"
#include "tiny_model.h"

namespace sgpt {
namespace {

using ::testing::HasSubstr;

TEST(DevMetrics, AreThoseOfInformationRetrievalEvaluator) {
  // q1: relevant at ranks 2 and 12, a third never found; q2: nothing found. Tied: b comes before c.
  const RelevantDocuments relevant{{"q1", {"c", "l", "z"}}, {"q2", {"x"}}};
  sgpt::Run run;
  for (const char id : std::string("abdefghijk")) run["q1"].push_back({std::string(1, id), 0.5});
  run["q1"].push_back({"c", 0.5});
  run["q1"].push_back({"l", 0.1});
  run["q1"][1].score = 0.9;  // b, so that a, c follow
  run["q2"] = {{"y", 1}};
  const DevMetrics metrics = dev_metrics(relevant, run);
  // The ranking: b a c d e f g h i j k l: c at 3, l at 12.
  const double ideal = 1 + 1 / std::log2(3.0) + 1 / std::log2(4.0);
  EXPECT_EQ(metrics.queries, 2);
  EXPECT_DOUBLE_EQ(metrics.mrr_at_10, 1.0 / 3 / 2);
  EXPECT_DOUBLE_EQ(metrics.accuracy_at_10, 0.5);
  EXPECT_DOUBLE_EQ(metrics.precision_at_10, 0.05);
  EXPECT_DOUBLE_EQ(metrics.recall_at_10, 1.0 / 3 / 2);
  EXPECT_DOUBLE_EQ(metrics.ndcg_at_10, 1 / std::log2(4.0) / ideal / 2);
  EXPECT_DOUBLE_EQ(metrics.map_at_100, (1.0 / 3 + 2.0 / 12) / 3 / 2);
}

class DevEvaluationTest : public ::testing::Test {
 protected:
  DevEvaluationTest() : encoder_(Encoder::load(testing::write_tiny_model(temp_.path() / "model", {}))) {
    temp_.write("collection.tsv", "0\ta red lamp\n1\ta green river\n2\ta golden violin\n3\tbread\n4\tan engine\n");
    temp_.write("queries.dev.small.tsv", "7\ta golden violin\n8\tnobody judged this\n9\tan engine\n");
    temp_.write("qrels.dev.tsv", "7\t0\t2\t1\n9 0 4 1\n5\t0\t1\t1\n");
  }

  std::string message() const {
    try {
      evaluate_dev(encoder_, {temp_.path()}, 0);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }

  testing::TempFolder temp_;
  Encoder encoder_;
};

TEST_F(DevEvaluationTest, AQueryFindsTheSameText) {
  EXPECT_TRUE(missing_dev_files({temp_.path()}).empty());
  const DevMetrics metrics = evaluate_dev(encoder_, {temp_.path()}, 0);
  EXPECT_EQ(metrics.queries, 2);
  EXPECT_EQ(metrics.passages, 5);
  for (const auto& [name, value] : metrics.named()) {
    EXPECT_DOUBLE_EQ(value, name == "Precision@10" ? 0.1 : 1.0) << name;
  }
}

TEST_F(DevEvaluationTest, ASmallerCorpusKeepsWhatIsRelevant) {
  // Passages 2 and 4 are relevant; of the others one joins while there are at most so many, as the reference counts.
  EXPECT_EQ(evaluate_dev(encoder_, {temp_.path()}, 3).passages, 5);
  EXPECT_EQ(evaluate_dev(encoder_, {temp_.path()}, 2).passages, 4);
  EXPECT_EQ(evaluate_dev(encoder_, {temp_.path()}, 1).passages, 4);
  EXPECT_EQ(evaluate_dev(encoder_, {temp_.path()}, 100).passages, 5);
  EXPECT_EQ(evaluate_dev(encoder_, {temp_.path()}, 1).mrr_at_10, 1);
}

TEST_F(DevEvaluationTest, BrokenFilesAreNamedWithTheirLine) {
  temp_.write("qrels.dev.tsv", "7\t0\t2\t1\n9 0 4\n");
  EXPECT_THAT(message(), HasSubstr("qrels.dev.tsv:2"));
  temp_.write("qrels.dev.tsv", "1\t0\t2\t1\n");
  EXPECT_THAT(message(), HasSubstr("none of its queries is judged"));
  temp_.write("qrels.dev.tsv", "7\t0\t2\t1\n");
  temp_.write("queries.dev.small.tsv", "7\ta\n7\tb\n");
  EXPECT_THAT(message(), HasSubstr("queries.dev.small.tsv:2"));
  temp_.write("queries.dev.small.tsv", "7\ta\n");
  temp_.write("collection.tsv", "0\ta\nno tab\n");
  EXPECT_THAT(message(), HasSubstr("collection.tsv:2"));
  temp_.write("collection.tsv", "0\ta\xff\n");
  EXPECT_THAT(message(), HasSubstr("collection.tsv:1"));
  std::filesystem::remove(temp_ / "collection.tsv");
  ASSERT_EQ(missing_dev_files({temp_.path()}).size(), 1u);
  EXPECT_THAT(message(), HasSubstr("collection.tsv"));
}

}  // namespace
}  // namespace sgpt
