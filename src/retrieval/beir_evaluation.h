// How well a model finds the judged documents of a data set: BEIR's evaluation (arXiv 2104.08663) with exact cosine
// search.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "encode/encoder_team.h"
#include "retrieval/dataset.h"
#include "retrieval/results_file.h"

namespace sgpt {

struct BeirOptions {
  std::string split = {};               ///< qrels/SPLIT.tsv; empty: "test", or "dev" for the data set msmarco
  std::filesystem::path run_file = {};  ///< where to write the hits; empty: nowhere
  std::int64_t hits = 1000;             ///< a query, after the query itself was dropped
  std::string model_name = {};          ///< in results; empty: ModelFolder::name
  /// Where to keep the documents' embeddings, for the next evaluation or search (an empty path: where CorpusIndex does
  /// by default). Unset: they are searched as they come, and kept nowhere.
  std::optional<std::filesystem::path> cache = {};
};

/// What shall be evaluated together, and under which name.
struct NamedDataSet {
  std::string name;
  DataSetFolder folder;
};

/// The data sets that `data_path` and a name (may be empty) speak of: the folder itself where it has a corpus.jsonl, or
/// its sub-folder NAME; for cqadupstack its twelve forums, named NAME_android and so on. Throws UserError when there
/// are none or a forum is missing.
std::vector<NamedDataSet> find_data_sets(const std::filesystem::path& data_path, const std::string& name);

/// What is wrong with judgements and queries, told before a model is loaded: throws UserError as the evaluation would.
void check_data_set(const NamedDataSet& data_set, const std::string& split);

/// Evaluates one data set: only judged queries are run, a hit with the query's own id is dropped. Values are rounded to
/// five places. Throws UserError on a broken data set.
DataSetResult evaluate_data_set(const EncoderTeam& team, const NamedDataSet& data_set, const BeirOptions& options);

/// Evaluates all of them; of several, the last result is their mean (as published for cqadupstack: of the rounded
/// values), and run.trec becomes a file each, run_NAME.trec.
std::vector<DataSetResult> evaluate_data_sets(const EncoderTeam& team, const std::vector<NamedDataSet>& data_sets,
                                              const BeirOptions& options);

/// The plain mean of the forums' (rounded) values.
DataSetResult mean_of(const std::vector<DataSetResult>& forums, const std::string& name);

/// DIR/run.trec → DIR/run_NAME.trec; empty stays empty.
std::filesystem::path with_name(const std::filesystem::path& file, const std::string& name);

}  // namespace sgpt
