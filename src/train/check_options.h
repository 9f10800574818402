// What can be seen to be wrong with the options of a training run before anything is read.
#pragma once

#include <filesystem>

#include "sgpt/trainer.h"

namespace sgpt {

/// Throws UserError naming the option as the command line does, what it must be, and what it is.
void check_options(const TrainOptions& options);

/// The same of what does not go with a model that is an adapter, which is trained further.
void check_options_of_adapter(TrainOptions options, const std::filesystem::path& adapter);

}  // namespace sgpt
