// sgpt eval --sts and --useb: how a model compares sentences of one kind, which are embedded without special brackets
// unless --specb is given.
#pragma once

#include "base/communicator.h"
#include "cli/eval_arguments.h"

namespace sgpt::cli {

/// By all ranks together; rank 0 reads the data and gives the results.
void evaluate_sts_file(Communicator& ranks, const EvalArguments& arguments);
void evaluate_useb_folder(Communicator& ranks, const EvalArguments& arguments);

}  // namespace sgpt::cli
