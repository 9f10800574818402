// The parts of a training run on AllNLI and STS benchmark: its data, its batches, and the pairs that score it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/communicator.h"
#include "encode/text_preparation.h"
#include "model/model_folder.h"
#include "sgpt/trainer.h"
#include "train/batch_source.h"
#include "train/nli/sts_dev.h"
#include "train/training_set.h"

namespace sgpt {

/// The scores, within the folder of the model.
inline constexpr std::string_view kStsDevCsv = "eval/similarity_evaluation_sts-dev_results.csv";
inline constexpr std::string_view kStsTestCsv = "similarity_evaluation_sts-test_results.csv";

// All of these are for options with `nli`.

std::unique_ptr<const TrainingSet> open_nli_data(const TrainOptions& options, const TextPreparation& preparation,
                                                 const Communicator& ranks);

/// Throws UserError when a batch of the run cannot be filled.
std::unique_ptr<BatchSource> open_nli_batches(const TrainOptions& options, const TrainingSet& data,
                                              const Communicator& ranks);

/// Nothing without `nli`, or where it has no pairs.
std::optional<StsDev> open_dev_pairs(const TrainOptions& options, const ModelFolder& settings,
                                     const TextPreparation& preparation);

/// Sets the interval of scores where the options leave it open.
void settle_evaluation_steps(TrainOptions& options, std::int64_t steps_per_epoch);

}  // namespace sgpt
