// What ends sgpt train --nli: the saved model's score on STS benchmark's test part, for people and programs.
#pragma once

#include <functional>

#include "cli/dev_evaluation.h"
#include "sgpt/trainer.h"
#include "train/watch/run_watch.h"

namespace sgpt::cli {

/// Throws UserError when --sts has no dev or no test part: before the long work.
void check_sts_parts(const TrainOptions& options);

/// Loads what was saved, scores it, writes similarity_evaluation_sts-test_results.csv into its folder (unless an
/// earlier call has), prints the numbers, and tells `watch`. Nothing where the options name no pairs.
void run_sts_test(const TrainOptions& options, const DevArguments& arguments, RunWatch& watch);

/// --no_training: scores the base model on both parts. Calls `on_start` as run_dev_evaluation does.
void run_sts_alone(const TrainOptions& options, const DevArguments& arguments, RunWatch& watch,
                   const std::function<void()>& on_start);

}  // namespace sgpt::cli
