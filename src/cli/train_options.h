// The options of sgpt train that are those of train_bi-encoder_mnrl.py, under their headings of the help.
#pragma once

#include "cli/dev_evaluation.h"
#include "sgpt/trainer.h"

namespace CLI {
class App;
}

namespace sgpt::cli {

/// Parsing writes what the user said into `options` and `dev`, which must live until it is over.
void add_train_options(CLI::App& command, TrainOptions& options, DevArguments& dev);

}  // namespace sgpt::cli
