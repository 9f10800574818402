// What the commands that evaluate on BEIR data sets share: the options, what is wrong with them, and where results go.
#pragma once

#include <string>
#include <vector>

#include "cli/given_paths.h"
#include "retrieval/beir_evaluation.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sgpt::cli {

struct BeirArguments {
  std::string data_path;
  std::string data_set;
  std::string split;
  std::string output;
  std::string run_file;
  bool keep_same_ids = false;
};

/// Adds --data_path (which is required, and returned), --dataset, --split, --output, --run_file and --keep_same_ids.
CLI::Option* add_beir_options(CLI::App& command, BeirArguments& arguments);

/// What was given is wrong, told before any work: broken data sets, a results file of another kind, a run file that
/// cannot be written, or is a stream where `several` rankings each go into a file of their own.
void check_beir(const BeirArguments& arguments, const std::vector<NamedDataSet>& data_sets, bool several);

/// What is read and written.
void add_beir_paths(GivenPaths& paths, const BeirArguments& arguments, const std::vector<NamedDataSet>& data_sets);

/// Evaluates the data sets. Each result is shown, and goes into the results file as soon as it is there: a failure of a
/// later one takes none away.
std::vector<DataSetResult> evaluate_and_keep(const EvaluateDataSet& evaluate, const BeirArguments& arguments,
                                             const std::vector<NamedDataSet>& data_sets, const BeirOptions& options);

/// Onto stdout, unless they are in the results file.
void give_results(const BeirArguments& arguments, const std::vector<DataSetResult>& results);

}  // namespace sgpt::cli
