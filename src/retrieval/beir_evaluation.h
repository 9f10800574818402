// How well the judged documents of a data set are found: BEIR's evaluation (arXiv 2104.08663), of a model by exact
// search, or of any other way to search.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "encode/encoder_team.h"
#include "retrieval/data_sets.h"
#include "retrieval/results_file.h"
#include "sgpt/search.h"

namespace sgpt {

struct BeirOptions {
  std::string split = {};               ///< qrels/SPLIT.tsv; empty: "test", or "dev" for the data set msmarco
  std::filesystem::path run_file = {};  ///< where to write the hits; empty: nowhere
  std::int64_t hits = 1000;             ///< a query, after the query itself was dropped
  bool keep_same_ids = false;           ///< a hit with the query's id counts; BEIR drops it (`ignore_identical_ids`)
  std::string model_name = {};          ///< in results; empty: ModelFolder::name
  std::optional<Similarity> similarity = {};  ///< unset: as the model's folder says
  /// Where to keep the documents' embeddings, for the next evaluation or search (an empty path: where CorpusIndex does
  /// by default). Unset: they are searched as they come, and kept nowhere.
  std::optional<std::filesystem::path> cache = {};
};

/// Queries, and where each stands ("FILE:LINE").
struct QueryTexts {
  std::vector<std::string> texts;
  std::vector<std::string> places;
};

/// What a search of a corpus gave: documents are numbers in hits, and the places of their ids.
struct Found {
  std::vector<std::vector<Hit>> hits;  ///< of each query, at most so many as were asked for
  std::vector<std::string> ids;        ///< of all documents
};
using SearchDataSet = std::function<Found(const NamedDataSet&, const QueryTexts&, std::int64_t top_k)>;

/// Evaluates a way to search on one data set: only judged queries are run. Values are rounded to five places.
/// options.model_name names it in results. Throws UserError on a broken data set.
DataSetResult evaluate_search(const SearchDataSet& search, const NamedDataSet& data_set, const BeirOptions& options);

/// The same of a model.
DataSetResult evaluate_data_set(const EncoderTeam& team, const NamedDataSet& data_set, const BeirOptions& options);

/// Says which documents of a corpus that was read to its end were not searched, and which SGPT's evaluation would not.
void tell_left_out(const NamedDataSet& data_set, const CorpusReader& corpus);

using EvaluateDataSet = std::function<DataSetResult(const NamedDataSet&, const BeirOptions&)>;
/// Told of each result as soon as it is there.
using OnResult = std::function<void(const DataSetResult&)>;

/// Evaluates all of them; of several, the last result is their mean (as published for cqadupstack: of the rounded
/// values), and run.trec becomes a file each, run_NAME.trec.
std::vector<DataSetResult> evaluate_data_sets(const EvaluateDataSet& evaluate,
                                              const std::vector<NamedDataSet>& data_sets, const BeirOptions& options,
                                              const OnResult& on_result);

/// The plain mean of the forums' (rounded) values.
DataSetResult mean_of(const std::vector<DataSetResult>& forums, const std::string& name);

/// DIR/run.trec → DIR/run_NAME.trec; empty stays empty.
std::filesystem::path with_name(const std::filesystem::path& file, const std::string& name);

}  // namespace sgpt
