// The evaluation that ends a training on MS MARCO: how well the dev queries find their passages, in the metrics of
// sentence-transformers' InformationRetrievalEvaluator (which differ from BEIR's in how MAP is divided and ties stand).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "sgpt/encoder.h"
#include "sgpt/metrics.h"

namespace sgpt {

/// MS MARCO's files, by their published names.
struct DevFolder {
  std::filesystem::path path;
  std::filesystem::path queries() const { return packed_or_plain(path / "queries.dev.small.tsv"); }  ///< qid ⇥ query
  std::filesystem::path qrels() const { return packed_or_plain(path / "qrels.dev.tsv"); }  ///< qid ⇥ 0 ⇥ pid ⇥ 1
  std::filesystem::path collection() const { return packed_or_plain(path / "collection.tsv"); }  ///< pid ⇥ passage
};

/// The files that are missing, for a message; empty when all are there.
std::vector<std::filesystem::path> missing_dev_files(const DevFolder& folder);

/// Means over the queries.
struct DevMetrics {
  std::int64_t queries = 0;
  std::int64_t passages = 0;  ///< searched
  double mrr_at_10 = 0;       ///< 1 / rank of the first relevant one
  double ndcg_at_10 = 0;      ///< every relevant one gains 1
  double map_at_100 = 0;      ///< sum of the precisions / min(100, relevant)
  double accuracy_at_10 = 0;  ///< 1 when a relevant one was found
  double precision_at_10 = 0;
  double recall_at_10 = 0;

  /// {"MRR@10", value}, …: all but the counts.
  std::vector<std::pair<std::string_view, double>> named() const;
};

/// query id → the ids of what is relevant to it; never empty.
using RelevantDocuments = std::map<std::string, std::set<std::string>, std::less<>>;

/// `run` has the hits of each query of `relevant`, in any order: they are ranked by score descending, ties by id
/// ascending. A query without hits counts as 0.
DevMetrics dev_metrics(const RelevantDocuments& relevant, const Run& run);

/// Embeds and searches the collection as a stream. With `corpus_max_size` above 0 a passage that is relevant to no
/// query joins only while at most so many were taken before it, as in the reference's training script. Throws UserError
/// naming file and line when a file is missing or broken, or no judged query is there.
DevMetrics evaluate_dev(const Encoder& encoder, const DevFolder& folder, std::int64_t corpus_max_size);

}  // namespace sgpt
