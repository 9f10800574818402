// Retrieval metrics: NDCG, MAP, recall and precision as trec_eval computes them, and MRR, capped recall, holes and
// accuracy as BEIR (arXiv 2104.08663) defines them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sgpt {

/// How relevant a document is to a query; above 0 is relevant.
using Judgements = std::map<std::string, int, std::less<>>;
/// query id → document id → relevance.
using Qrels = std::map<std::string, Judgements, std::less<>>;

struct ScoredDocument {
  std::string id;
  double score = 0;
};
/// query id → what was found, in any order.
using Run = std::map<std::string, std::vector<ScoredDocument>, std::less<>>;

enum class Metric : std::uint8_t {
  ndcg,        ///< gain = relevance, discount log2(rank + 1), the ideal taken from all judged documents
  map,         ///< average precision, divided by the number of relevant documents
  recall,      ///< relevant found / relevant
  precision,   ///< relevant found / k
  mrr,         ///< 1 / rank of the first relevant one
  recall_cap,  ///< relevant found / min(relevant, k)
  hole,        ///< found but judged for no query / k
  accuracy,    ///< 1 when a relevant one was found
};
inline constexpr std::size_t kMetrics = 8;

/// "NDCG", "MAP", "Recall", "P", "MRR", "R_cap", "Hole", "Accuracy": the names that BEIR prints, before "@k".
std::string_view name_of(Metric metric);
/// "ndcgs", "maps", "recalls", "precisions", "mrrs", …: the names in result files.
std::string_view group_of(Metric metric);
/// All of them, in the order above.
std::array<Metric, kMetrics> all_metrics();

/// The cut-offs that BEIR reports.
inline constexpr std::array<int, 6> kCutoffs{1, 3, 5, 10, 100, 1000};

/// Values of all metrics at all cut-offs.
class MetricTable {
 public:
  explicit MetricTable(std::size_t cutoffs = 0) : values_(cutoffs * kMetrics) {}
  /// `cutoff` is the place of k in the list of cut-offs.
  double& at(Metric metric, std::size_t cutoff) {
    return values_[cutoff * kMetrics + static_cast<std::size_t>(metric)];
  }
  double at(Metric metric, std::size_t cutoff) const {
    return values_[cutoff * kMetrics + static_cast<std::size_t>(metric)];
  }

 private:
  std::vector<double> values_;  // [cutoffs, metrics]
};

/// Puts hits in trec_eval's order: score descending (compared as float, which is what trec_eval keeps), ties by
/// document id in descending byte order.
void sort_as_trec_eval(std::vector<ScoredDocument>& hits);

/// Evaluates query after query, so that a run need never be in memory as a whole.
class Evaluator {
 public:
  /// `cutoffs` are positive and ascending; UserError otherwise. `qrels` must outlive the evaluator.
  Evaluator(const Qrels& qrels, std::span<const int> cutoffs);

  /// The metrics of one query; `hits` in any order, each document once; with no hits they are 0. Null for a query that
  /// is not judged, which does not count. Valid until the next call.
  const MetricTable* add(std::string_view query, std::vector<ScoredDocument> hits);

  /// As trec_eval and BEIR average: NDCG, MAP, recall and precision over the queries that are both judged and run, the
  /// others over all judged queries. Not rounded.
  MetricTable means() const;
  std::size_t queries() const { return queries_; }  ///< both judged and run
  const std::vector<int>& cutoffs() const { return cutoffs_; }

 private:
  struct Counts;
  void count_hit(const std::string& document, std::size_t rank, double discount, const Judgements& judgements,
                 Counts& counts) const;

  const Qrels& qrels_;
  std::vector<int> cutoffs_;
  std::vector<std::string_view> judged_;  // every judged document, sorted
  std::size_t queries_ = 0;
  MetricTable sums_;
  MetricTable last_;
};

/// The whole at once.
struct Evaluation {
  std::vector<int> cutoffs;
  std::map<std::string, MetricTable> queries;  ///< those that are both judged and run
  MetricTable means;                           ///< not rounded
};
Evaluation evaluate(const Qrels& qrels, const Run& run, std::span<const int> cutoffs = kCutoffs);

/// To five places, half to even, as result files have it (Python's round).
double rounded(double value);

}  // namespace sgpt
