// Which data sets --data_path and --dataset speak of, and what is wrong with them: told before a model is loaded.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "retrieval/dataset.h"

namespace sgpt {

/// What shall be evaluated together, and under which name.
struct NamedDataSet {
  std::string name;
  DataSetFolder folder;

  /// "test", or "dev" for the data set msmarco, where no other is wanted.
  std::string split(const std::string& wanted) const;
};

/// The data sets that `data_path` and a name (may be empty) speak of: the folder itself where it has a corpus.jsonl, or
/// its sub-folder NAME; for cqadupstack its twelve forums, named NAME_android and so on. Throws UserError, which says
/// what is there instead, when there are none or a forum is missing.
std::vector<NamedDataSet> find_data_sets(const std::filesystem::path& data_path, const std::string& name);

struct DataSetChecks {
  std::string split = {};      ///< empty: as NamedDataSet::split
  bool run_file = false;       ///< ids must be such that a run file can hold them
  bool keep_same_ids = false;  ///< a document with its query's id counts
};

/// Reads all of a data set once: a missing or broken file, a judged query that is missing, an id that a run file cannot
/// hold, and relevant documents none of which is in the corpus throw UserError. Warns of some that are missing there,
/// and of those that are left out of account for having their query's id.
void check_data_set(const NamedDataSet& data_set, const DataSetChecks& checks);

}  // namespace sgpt
