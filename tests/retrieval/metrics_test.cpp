// Metrics: against trec_eval's own numbers (fixtures), and against values computed by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "fixtures.h"
#include "sgpt/error.h"
#include "sgpt/metrics.h"

namespace sgpt {
namespace {

using nlohmann::json;

/// "ndcg_cut_10" → the metric and the place of 10 among the cut-offs.
struct TrecName {
  Metric metric;
  int cutoff;
};

TrecName parse_trec_name(const std::string& name) {
  const auto split = name.rfind('_');
  const std::string measure = name.substr(0, split);
  const int cutoff = std::stoi(name.substr(split + 1));
  if (measure == "ndcg_cut") return {Metric::ndcg, cutoff};
  if (measure == "map_cut") return {Metric::map, cutoff};
  if (measure == "recall") return {Metric::recall, cutoff};
  if (measure == "P") return {Metric::precision, cutoff};
  throw std::runtime_error("the fixture has an unknown measure " + name);
}

double value_of(const MetricTable& table, const std::vector<int>& cutoffs, const TrecName& name) {
  const auto place = std::find(cutoffs.begin(), cutoffs.end(), name.cutoff) - cutoffs.begin();
  return table.at(name.metric, static_cast<std::size_t>(place));
}

TEST(MetricsFixture, EqualTrecEval) {
  const auto files = testing::fixtures("metrics");
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    std::ifstream stream(file);
    const json fixture = json::parse(stream);
    Qrels qrels;
    for (const auto& [query, documents] : fixture.at("qrels").items()) {
      for (const auto& [document, relevance] : documents.items()) qrels[query][document] = relevance.get<int>();
    }
    sgpt::Run run;
    for (const auto& [query, documents] : fixture.at("run").items()) {
      auto& hits = run[query];
      for (const auto& [document, score] : documents.items()) hits.push_back({document, score.get<double>()});
    }
    std::set<int> cutoffs;
    for (const auto& [name, value] : fixture.at("mean_rounded_5").items()) cutoffs.insert(parse_trec_name(name).cutoff);
    const Evaluation evaluation = evaluate(qrels, run, std::vector<int>(cutoffs.begin(), cutoffs.end()));
    EXPECT_EQ(evaluation.queries.size(), fixture.at("per_query").size());
    for (const auto& [query, values] : fixture.at("per_query").items()) {
      ASSERT_TRUE(evaluation.queries.contains(query)) << query;
      for (const auto& [name, value] : values.items()) {
        EXPECT_NEAR(value_of(evaluation.queries.at(query), evaluation.cutoffs, parse_trec_name(name)),
                    value.get<double>(), 1e-9)
            << query << " " << name;
      }
    }
    for (const auto& [name, value] : fixture.at("mean_rounded_5").items()) {
      EXPECT_NEAR(rounded(value_of(evaluation.means, evaluation.cutoffs, parse_trec_name(name))), value.get<double>(),
                  1e-9)
          << name;
    }
  }
}

constexpr std::array<int, 3> kSmall{1, 3, 10};

TEST(Metrics, ByHand) {
  const Qrels qrels{{"q", {{"a", 2}, {"b", 1}, {"c", 0}, {"missing", 1}}}};
  const sgpt::Run run{{"q", {{"x", 9}, {"a", 8}, {"c", 7}, {"b", 6}}}};
  const Evaluation evaluation = evaluate(qrels, run, kSmall);
  const MetricTable& values = evaluation.queries.at("q");
  const double ideal = 2 / std::log2(2.0) + 1 / std::log2(3.0) + 1 / std::log2(4.0);
  EXPECT_EQ(values.at(Metric::ndcg, 0), 0);
  EXPECT_DOUBLE_EQ(values.at(Metric::ndcg, 1), 2 / std::log2(3.0) / ideal);
  EXPECT_DOUBLE_EQ(values.at(Metric::ndcg, 2), (2 / std::log2(3.0) + 1 / std::log2(5.0)) / ideal);
  EXPECT_DOUBLE_EQ(values.at(Metric::map, 2), (1.0 / 2 + 2.0 / 4) / 3);
  EXPECT_DOUBLE_EQ(values.at(Metric::recall, 1), 1.0 / 3);
  EXPECT_DOUBLE_EQ(values.at(Metric::precision, 2), 2.0 / 10);
  EXPECT_DOUBLE_EQ(values.at(Metric::mrr, 0), 0);
  EXPECT_DOUBLE_EQ(values.at(Metric::mrr, 1), 0.5);
  EXPECT_DOUBLE_EQ(values.at(Metric::recall_cap, 1), 1.0 / 3);
  EXPECT_DOUBLE_EQ(values.at(Metric::hole, 0), 1);
  EXPECT_DOUBLE_EQ(values.at(Metric::hole, 1), 1.0 / 3);
  EXPECT_DOUBLE_EQ(values.at(Metric::accuracy, 0), 0);
  EXPECT_DOUBLE_EQ(values.at(Metric::accuracy, 1), 1);
}

TEST(Metrics, CappedRecallIsCapped) {
  const Qrels qrels{{"q", {{"a", 1}, {"b", 1}, {"c", 1}}}};
  const MetricTable values = evaluate(qrels, {{"q", {{"a", 1}}}}, kSmall).means;
  EXPECT_DOUBLE_EQ(values.at(Metric::recall, 0), 1.0 / 3);
  EXPECT_DOUBLE_EQ(values.at(Metric::recall_cap, 0), 1);
}

TEST(Metrics, NegativeJudgementsAreNotRelevant) {
  const Qrels qrels{{"q", {{"spam", -2}, {"good", 1}}}};
  const MetricTable values = evaluate(qrels, {{"q", {{"spam", 2}, {"good", 1}}}}, kSmall).means;
  EXPECT_DOUBLE_EQ(values.at(Metric::ndcg, 1), 1 / std::log2(3.0));
  EXPECT_DOUBLE_EQ(values.at(Metric::recall, 1), 1);
  EXPECT_EQ(values.at(Metric::hole, 1), 0);
}

TEST(Metrics, QueryWithoutRelevantDocumentsCountsAsZero) {
  const Qrels qrels{{"q", {{"a", 0}}}, {"r", {{"b", 1}}}};
  const Evaluation evaluation = evaluate(qrels, {{"q", {{"a", 1}}}, {"r", {{"b", 1}}}}, kSmall);
  EXPECT_EQ(evaluation.queries.at("q").at(Metric::ndcg, 0), 0);
  EXPECT_EQ(evaluation.queries.at("q").at(Metric::recall_cap, 0), 0);
  EXPECT_DOUBLE_EQ(evaluation.means.at(Metric::ndcg, 0), 0.5);
}

TEST(Metrics, MeansCountQueriesAsTrecEvalAndBeirDo) {
  const Qrels qrels{{"q", {{"a", 1}}}, {"not run", {{"b", 1}}}};
  const Evaluation evaluation = evaluate(qrels, {{"q", {{"a", 1}}}, {"not judged", {{"a", 1}}}}, kSmall);
  EXPECT_EQ(evaluation.queries.size(), 1u);
  EXPECT_DOUBLE_EQ(evaluation.means.at(Metric::ndcg, 0), 1);   // over the one that is both
  EXPECT_DOUBLE_EQ(evaluation.means.at(Metric::mrr, 0), 0.5);  // over all judged
}

TEST(Metrics, TiesGoByFloatScoreThenByDescendingId) {
  // The doubles differ, the floats do not; "d9" comes before "d10" and "é" before both.
  std::vector<ScoredDocument> hits{{"d10", 0.5 + 1e-12}, {"d9", 0.5}, {"é", 0.5 - 1e-12}, {"first", 0.6}};
  sort_as_trec_eval(hits);
  ASSERT_EQ(hits.size(), 4u);
  EXPECT_EQ(hits[0].id, "first");
  EXPECT_EQ(hits[1].id, "é");
  EXPECT_EQ(hits[2].id, "d9");
  EXPECT_EQ(hits[3].id, "d10");
}

TEST(Metrics, ScoresThatAreNoNumbersComeLast) {
  std::vector<ScoredDocument> hits{{"nan", std::numeric_limits<double>::quiet_NaN()}, {"a", -5}, {"b", 3}};
  sort_as_trec_eval(hits);
  EXPECT_EQ(hits[0].id, "b");
  EXPECT_EQ(hits[2].id, "nan");
}

TEST(Metrics, OrderOfHitsGivenDoesNotMatter) {
  const Qrels qrels{{"q", {{"a", 1}, {"b", 3}}}};
  const auto one = evaluate(qrels, {{"q", {{"a", 1}, {"b", 1}, {"c", 1}}}}, kSmall).means;
  const auto two = evaluate(qrels, {{"q", {{"c", 1}, {"a", 1}, {"b", 1}}}}, kSmall).means;
  for (const Metric metric : all_metrics()) EXPECT_EQ(one.at(metric, 1), two.at(metric, 1)) << name_of(metric);
}

TEST(Metrics, BadCutoffsAreRefused) {
  const Qrels qrels{{"q", {{"a", 1}}}};
  EXPECT_THROW(evaluate(qrels, {}, std::vector<int>{}), UserError);
  EXPECT_THROW(evaluate(qrels, {}, std::vector<int>{0, 1}), UserError);
  EXPECT_THROW(evaluate(qrels, {}, std::vector<int>{10, 1}), UserError);
  EXPECT_THROW(evaluate(qrels, {}, std::vector<int>{3, 3}), UserError);
}

TEST(Metrics, RoundsHalvesToEvenAsPythonDoes) {
  EXPECT_EQ(rounded(0.718244999), 0.71824);
  EXPECT_EQ(rounded(0.000005), 0.00001);  // the double is a little above the half
  EXPECT_EQ(rounded(0.015625), 0.01562);  // the half is exact, and goes to the even digit
  EXPECT_EQ(rounded(0.046875), 0.04688);
  EXPECT_EQ(rounded(1), 1);
  EXPECT_EQ(rounded(0), 0);
}

}  // namespace
}  // namespace sgpt
