// sgpt eval --checkpoints: its way through the checkpoints of a training run.
#pragma once

#include <vector>

#include "base/communicator.h"
#include "cli/eval_arguments.h"

namespace sgpt::cli {

/// Evaluates each of them by all ranks together (rank 0 alone knows the data sets), shows a table, names the best, and
/// writes it where that is asked for.
void evaluate_checkpoints(Communicator& ranks, const EvalArguments& arguments,
                          const std::vector<NamedDataSet>& data_sets);

}  // namespace sgpt::cli
