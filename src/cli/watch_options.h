// The options of sgpt train that are about watching a run, in a part of their own.
#pragma once

#include <string>

#include "sgpt/trainer.h"

namespace CLI {
class App;
}

namespace sgpt::cli {

/// Adds --log_dir and its like. Where none is given, `options.run_folder` stays empty until finish_watch_options.
void add_watch_options(CLI::App& command, TrainOptions& options);

/// After parsing: the default folder, MODEL_SAVE_PATH.run, and the command itself.
void finish_watch_options(TrainOptions& options);

/// This process' own command, quoted for a shell; "mpirun -n N" in front where it is one of N.
std::string command_line();

}  // namespace sgpt::cli
