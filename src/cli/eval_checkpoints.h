// What sgpt eval was told, and its way through the checkpoints of a training run.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/communicator.h"
#include "retrieval/beir_evaluation.h"
#include "sgpt/encoder.h"

namespace sgpt::cli {

struct EvalArguments {
  std::filesystem::path model;
  std::filesystem::path checkpoints;
  std::filesystem::path save_best;
  std::string data_path;
  std::string data_set;
  std::string split;
  std::string output;
  std::string run_file;
  std::optional<std::filesystem::path> cache;
  bool keep_same_ids = false;
  bool update_card = false;
  EncoderOptions encoder;
};

/// Evaluates each of them by all ranks together (rank 0 alone knows the data sets), shows a table, names the best, and
/// writes it where that is asked for.
void evaluate_checkpoints(Communicator& ranks, const EvalArguments& arguments,
                          const std::vector<NamedDataSet>& data_sets);

/// Evaluates the data sets. Each result is shown, and goes into the results file as soon as it is there: a failure of a
/// later one takes none away.
std::vector<DataSetResult> evaluate_and_keep(const EncoderTeam& team, const EvalArguments& arguments,
                                             const std::vector<NamedDataSet>& data_sets, const BeirOptions& options);

/// Onto stdout, unless they are in the results file.
void give_results(const EvalArguments& arguments, const std::vector<DataSetResult>& results);

}  // namespace sgpt::cli
