// Result files: their shape, and what merging keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "retrieval/beir_evaluation.h"
#include "retrieval/results_file.h"
#include "sgpt/error.h"
#include "temp_folder.h"

namespace sgpt {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

DataSetResult result_of(const std::string& model, const std::string& data_set, double value) {
  DataSetResult result{model, data_set, {1, 10}, MetricTable(2)};
  for (const Metric metric : all_metrics()) {
    result.values.at(metric, 0) = value;
    result.values.at(metric, 1) = value / 2;
  }
  return result;
}

json read(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return json::parse(stream);
}

std::string merging_error(const std::filesystem::path& file) {
  try {
    check_results_file(file);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ResultsFile, HasTheCardsShape) {
  const std::vector results{result_of("m", "scifact", 0.71824)};
  const json root = json::parse(results_json(results));
  EXPECT_EQ(root.at("ndcgs").at("m").at("scifact"), (json{{"NDCG@1", 0.71824}, {"NDCG@10", 0.35912}}));
  EXPECT_EQ(root.at("maps").at("m").at("scifact").at("MAP@10"), 0.35912);
  EXPECT_EQ(root.at("recalls").at("m").at("scifact").at("Recall@1"), 0.71824);
  EXPECT_EQ(root.at("precisions").at("m").at("scifact").at("P@1"), 0.71824);
  EXPECT_EQ(root.at("mrrs").at("m").at("scifact").at("MRR@1"), 0.71824);
}

TEST(ResultsFile, MergingKeepsWhatWasThere) {
  const testing::TempFolder folder;
  const auto file = folder.write("results.json", R"({"note": [1], "ndcgs": {"card": {"quora": {"NDCG@10": 0.74655}},
      "m": {"scifact": {"NDCG@10": 0.1, "NDCG@7": 0.2}}}})");
  EXPECT_EQ(merging_error(file), "no error");
  const std::vector results{result_of("m", "scifact", 0.5), result_of("m", "fiqa", 0.25)};
  merge_into_results_file(file, results);
  const json root = read(file);
  EXPECT_EQ(root.at("note"), json::array({1}));
  EXPECT_EQ(root.at("ndcgs").at("card").at("quora").at("NDCG@10"), 0.74655);
  EXPECT_EQ(root.at("ndcgs").at("m").at("scifact"), (json{{"NDCG@1", 0.5}, {"NDCG@10", 0.25}}));
  EXPECT_EQ(root.at("ndcgs").at("m").at("fiqa").at("NDCG@1"), 0.25);
  EXPECT_EQ(root.at("holes").at("m").at("fiqa").at("Hole@1"), 0.25);
}

TEST(ResultsFile, IsMadeWhereThereIsNone) {
  const testing::TempFolder folder;
  EXPECT_EQ(merging_error(folder / "new.json"), "no error");
  EXPECT_FALSE(std::filesystem::exists(folder / "new.json"));
  merge_into_results_file(folder / "new.json", std::vector{result_of("m", "d", 1)});
  EXPECT_EQ(read(folder / "new.json").at("ndcgs").at("m").at("d").at("NDCG@1"), 1.0);
}

TEST(ResultsFile, OtherFilesAreRefusedAndLeftAlone) {
  const testing::TempFolder folder;
  EXPECT_THAT(merging_error(folder.write("a.json", "{\"ndcgs\": ")), HasSubstr("no JSON"));
  EXPECT_THAT(merging_error(folder.write("b.json", "[]")), HasSubstr("array"));
  EXPECT_THAT(merging_error(folder.write("c.json", "{\"ndcgs\": 5}")), HasSubstr("\"ndcgs\" is number"));
  EXPECT_THAT(merging_error(folder / "absent/d.json"), HasSubstr("there is no folder"));
  const auto file = folder.write("e.json", "{\"ndcgs\": {\"m\": 5}}");
  EXPECT_THROW(merge_into_results_file(file, std::vector{result_of("m", "d", 1)}), UserError);
  EXPECT_EQ(read(file), json::parse("{\"ndcgs\": {\"m\": 5}}"));
}

TEST(ResultsFile, SaysWhereDocumentsWithTheirQuerysIdWereCounted) {
  const testing::TempFolder folder;
  const auto file = folder / "r.json";
  DataSetResult kept = result_of("m", "d", 1);
  kept.kept_same_ids = true;
  merge_into_results_file(file, std::vector{kept, result_of("m", "e", 1)});
  EXPECT_EQ(read(file)["keep_same_ids"], json::parse("{\"m\": {\"d\": true}}"));
  merge_into_results_file(file, std::vector{result_of("m", "d", 1)});
  EXPECT_EQ(read(file)["keep_same_ids"], json::parse("{\"m\": {}}"));
}

TEST(ResultsFile, SaysWhatWasChosenBesideTheModel) {
  const testing::TempFolder folder;
  const auto file = folder / "r.json";
  DataSetResult prompted = result_of("m", "d", 1);
  prompted.options = "query_prompt=\"Q: \"";
  merge_into_results_file(file, std::vector{prompted, result_of("m", "e", 1)});
  EXPECT_EQ(read(file)["options"], json::parse(R"({"m": {"d": "query_prompt=\"Q: \""}})"));
  EXPECT_EQ(mean_of({prompted, prompted}, "d").options, prompted.options);
  merge_into_results_file(file, std::vector{result_of("m", "d", 1)});
  EXPECT_EQ(read(file)["options"], json::parse("{\"m\": {}}"));
}

TEST(ResultsFile, TableHasARowAMetric) {
  const auto result = result_of("m", "d", 0.5);
  const std::string table = metrics_table(result.values, result.cutoffs);
  EXPECT_THAT(table, HasSubstr("@10"));
  EXPECT_THAT(table, HasSubstr("NDCG        0.50000  0.25000"));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), static_cast<std::ptrdiff_t>(kMetrics));
}

TEST(ResultsFile, MeanOfForumsIsPlain) {
  const auto mean =
      mean_of({result_of("m", "cqadupstack_a", 0.2), result_of("m", "cqadupstack_b", 0.5)}, "cqadupstack");
  EXPECT_EQ(mean.data_set, "cqadupstack");
  EXPECT_DOUBLE_EQ(mean.values.at(Metric::ndcg, 0), 0.35);
  EXPECT_DOUBLE_EQ(mean.values.at(Metric::hole, 1), 0.175);
}

}  // namespace
}  // namespace sgpt
