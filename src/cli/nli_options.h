// The options of sgpt train that make it the recipe of the symmetric models, training_nli_v2.py.
#pragma once

namespace CLI {
class App;
}

namespace sgpt {
struct TrainOptions;
}

namespace sgpt::cli {

/// To be called when all other options were added: some exclude these.
void add_nli_options(CLI::App& command, TrainOptions& options);

/// After the command line was read: with --nli, finds the files that are not named, and sets what the recipe has
/// otherwise than the others, where the user did not. Throws UserError when a file is not found.
void finish_nli_options(const CLI::App& command, TrainOptions& options);

}  // namespace sgpt::cli
