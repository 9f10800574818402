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
  bool update_card = false;
  EncoderOptions encoder;
};

/// Evaluates each of them by all ranks together (rank 0 alone knows the data sets), shows a table, names the best, and
/// writes it where that is asked for.
void evaluate_checkpoints(Communicator& ranks, const EvalArguments& arguments,
                          const std::vector<NamedDataSet>& data_sets);

/// Into the results file, or onto stdout.
void give_results(const EvalArguments& arguments, const std::vector<DataSetResult>& results);

}  // namespace sgpt::cli
