// Options of the reference's training scripts that this program does not have.
#pragma once

namespace CLI {
class App;
}

namespace sgpt::cli {

/// They are refused by name, never ignored.
void add_refused_options(CLI::App& command);

}  // namespace sgpt::cli
