// The README.md of a trained model's folder, in the form of the published SGPT cards: how to use it, the command that
// made it, what it reached, and what it was trained with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "model/model_folder.h"
#include "retrieval/results_file.h"
#include "sgpt/trainer.h"
#include "train/run_facts.h"

namespace sgpt {

struct CardFacts {
  const TrainOptions& options;  ///< as the run had them, all decided
  const ModelFolder& settings;  ///< of the model that comes out
  std::int64_t batches = 0;     ///< of one pass over the data
  std::int64_t processes = 1;
  std::string program = program_and_version();  ///< that trained
  std::int64_t step = 0;                        ///< that the weights were taken at, where that is not the last one …
  std::int64_t total_steps = 0;                 ///< … of so many
  double dev_score = 0;                         ///< theirs, where the run was scored
};

std::string model_card(const CardFacts& facts);

/// The card with these results added to its evaluation: NDCG@10 of each data set, the others' values stay. Throws
/// UserError naming `place` when the card has no such line under "## Evaluation Results".
std::string with_results(std::string_view card, std::span<const DataSetResult> results, const std::string& place);

/// Adds results to MODEL_FOLDER/README.md. Throws UserError when it is missing or has no evaluation to add to.
void update_model_card(const std::filesystem::path& model_folder, std::span<const DataSetResult> results);

/// The error that updating would end with, before the long work.
void check_model_card(const std::filesystem::path& model_folder);

}  // namespace sgpt
