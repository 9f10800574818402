// The sums are taken in trec_eval's order, so that the values agree with it to the last digit.
#include "sgpt/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>

#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::array<std::string_view, kMetrics> kNames{"NDCG", "MAP",   "Recall", "P",
                                                        "MRR",  "R_cap", "Hole",   "Accuracy"};
constexpr std::array<std::string_view, kMetrics> kGroups{"ndcgs", "maps",   "recalls", "precisions",
                                                         "mrrs",  "r_caps", "holes",   "accuracies"};

/// trec_eval averages over the queries that were run, BEIR its own metrics over all judged ones.
bool is_of_trec_eval(Metric metric) { return metric <= Metric::precision; }

double ratio(double numerator, double denominator) { return denominator == 0 ? 0 : numerator / denominator; }

/// trec_eval keeps scores as float. What is no number comes last: a sort needs an order.
float comparable(double score) {
  return std::isnan(score) ? -std::numeric_limits<float>::infinity() : static_cast<float>(score);
}

}  // namespace

std::string_view name_of(Metric metric) { return kNames[static_cast<std::size_t>(metric)]; }
std::string_view group_of(Metric metric) { return kGroups[static_cast<std::size_t>(metric)]; }

std::array<Metric, kMetrics> all_metrics() {
  std::array<Metric, kMetrics> metrics{};
  for (std::size_t i = 0; i < kMetrics; ++i) metrics[i] = static_cast<Metric>(i);
  return metrics;
}

/// What one pass over a ranking has counted up to a rank.
struct Evaluator::Counts {
  double gain = 0;           // Σ relevance / log2(rank + 1) of the hits
  double ideal_gain = 0;     // the same of the ideal ranking
  double precision_sum = 0;  // Σ over relevant hits of (relevant so far / rank)
  std::int64_t relevant = 0;
  std::int64_t unjudged = 0;        // hits that no query judges
  std::int64_t first_relevant = 0;  // its rank; 0: none
};

void sort_as_trec_eval(std::vector<ScoredDocument>& hits) {
  std::sort(hits.begin(), hits.end(), [](const ScoredDocument& a, const ScoredDocument& b) {
    const float score_a = comparable(a.score);
    const float score_b = comparable(b.score);
    return score_a != score_b ? score_a > score_b : a.id > b.id;
  });
}

Evaluator::Evaluator(const Qrels& qrels, std::span<const int> cutoffs)
    : qrels_(qrels), cutoffs_(cutoffs.begin(), cutoffs.end()), sums_(cutoffs.size()), last_(cutoffs.size()) {
  const bool ascending = std::adjacent_find(cutoffs.begin(), cutoffs.end(), std::greater_equal<>()) == cutoffs.end();
  if (cutoffs.empty() || cutoffs.front() < 1 || !ascending) {
    throw UserError("the cut-offs of an evaluation must be positive and ascending, for example 1, 10, 100");
  }
  for (const auto& [query, judgements] : qrels) {
    for (const auto& [document, relevance] : judgements) judged_.push_back(document);
  }
  std::sort(judged_.begin(), judged_.end());
  judged_.erase(std::unique(judged_.begin(), judged_.end()), judged_.end());
}

void Evaluator::count_hit(const std::string& document, std::size_t rank, double discount, const Judgements& judgements,
                          Counts& counts) const {
  const auto judgement = judgements.find(document);
  if (judgement == judgements.end()) {
    if (!std::binary_search(judged_.begin(), judged_.end(), document)) ++counts.unjudged;
  } else if (judgement->second > 0) {
    ++counts.relevant;
    if (counts.first_relevant == 0) counts.first_relevant = static_cast<std::int64_t>(rank);
    counts.gain += judgement->second / discount;
    counts.precision_sum += static_cast<double>(counts.relevant) / static_cast<double>(rank);
  }
}

const MetricTable* Evaluator::add(std::string_view query, std::vector<ScoredDocument> hits) {
  const auto found = qrels_.find(query);
  if (found == qrels_.end()) return nullptr;
  const Judgements& judgements = found->second;
  std::vector<int> ideal;  // the relevances of the relevant documents, highest first
  for (const auto& [document, relevance] : judgements) {
    if (relevance > 0) ideal.push_back(relevance);
  }
  std::sort(ideal.begin(), ideal.end(), std::greater<>());
  sort_as_trec_eval(hits);

  const std::size_t longest = std::max(hits.size(), ideal.size());
  Counts counts;
  std::size_t rank = 0;  // from 0
  for (std::size_t c = 0; c < cutoffs_.size(); ++c) {
    for (const auto end = std::min(static_cast<std::size_t>(cutoffs_[c]), longest); rank < end; ++rank) {
      const double discount = std::log2(static_cast<double>(rank + 2));
      if (rank < ideal.size()) counts.ideal_gain += ideal[rank] / discount;
      if (rank < hits.size()) count_hit(hits[rank].id, rank + 1, discount, judgements, counts);
    }
    const auto relevant_found = static_cast<double>(counts.relevant);
    const auto relevant = static_cast<double>(ideal.size());
    const auto k = static_cast<double>(cutoffs_[c]);
    last_.at(Metric::ndcg, c) = ratio(counts.gain, counts.ideal_gain);
    last_.at(Metric::map, c) = ratio(counts.precision_sum, relevant);
    last_.at(Metric::recall, c) = ratio(relevant_found, relevant);
    last_.at(Metric::precision, c) = relevant_found / k;
    last_.at(Metric::mrr, c) = ratio(1, static_cast<double>(counts.first_relevant));
    last_.at(Metric::recall_cap, c) = ratio(relevant_found, std::min(relevant, k));
    last_.at(Metric::hole, c) = static_cast<double>(counts.unjudged) / k;
    last_.at(Metric::accuracy, c) = counts.relevant > 0 ? 1 : 0;
  }

  ++queries_;
  for (const Metric metric : all_metrics()) {
    for (std::size_t c = 0; c < cutoffs_.size(); ++c) sums_.at(metric, c) += last_.at(metric, c);
  }
  return &last_;
}

MetricTable Evaluator::means() const {
  MetricTable means(cutoffs_.size());
  for (const Metric metric : all_metrics()) {
    const auto count = static_cast<double>(is_of_trec_eval(metric) ? queries_ : qrels_.size());
    for (std::size_t c = 0; c < cutoffs_.size(); ++c) means.at(metric, c) = ratio(sums_.at(metric, c), count);
  }
  return means;
}

Evaluation evaluate(const Qrels& qrels, const Run& run, std::span<const int> cutoffs) {
  Evaluator evaluator(qrels, cutoffs);
  Evaluation evaluation;
  evaluation.cutoffs = evaluator.cutoffs();
  for (const auto& [query, hits] : run) {
    if (const MetricTable* values = evaluator.add(query, hits)) evaluation.queries.emplace(query, *values);
  }
  evaluation.means = evaluator.means();
  return evaluation;
}

double rounded(double value) {
  std::array<char, 512> digits{};  // the longest double has 309 digits before the point
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, 5);
  double result = value;
  std::from_chars(digits.data(), written.ptr, result);
  return result;
}

}  // namespace sgpt
