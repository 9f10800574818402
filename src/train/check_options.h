// What can be seen to be wrong with the options of a training run before anything is read.
#pragma once

#include "sgpt/trainer.h"

namespace sgpt {

/// Throws UserError naming the option as the command line does, what it must be, and what it is.
void check_options(const TrainOptions& options);

}  // namespace sgpt
