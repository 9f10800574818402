// The models that lie in the checkpoints of a run: to be evaluated before one is chosen, and to be taken out as a model
// folder. A checkpoint holds what training changed; the rest comes from the model that the run began with.
#pragma once

#include <filesystem>
#include <vector>

#include "sgpt/encoder.h"
#include "train/run_checkpoints.h"

namespace sgpt {

/// The checkpoints of a run, oldest first; `run` is MODEL_SAVE_PATH.checkpoints, or MODEL_SAVE_PATH. Throws UserError
/// when there is none.
std::vector<RunCheckpoint> checkpoints_of_run(const std::filesystem::path& run);

/// MODEL_SAVE_PATH/step-N without the folders before it, for result files.
std::string model_name(const RunCheckpoint& checkpoint);

/// What an encoder of the checkpoint's model has to be told: as it was trained, where `options` leave that open.
EncoderOptions encoder_options(const RunCheckpoint& checkpoint, EncoderOptions options);

/// Throws UserError when `base` is missing, or is not the model that the run began with. Reads all of its weights.
void check_base_model(const RunCheckpoint& checkpoint, const std::filesystem::path& base);

/// Writes the folder that training would have saved had it ended there. `target` is new or empty.
void save_checkpoint_model(const RunCheckpoint& checkpoint, const std::filesystem::path& base,
                           const std::filesystem::path& target);

}  // namespace sgpt
