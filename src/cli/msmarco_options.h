// The options of sgpt train that speak of the MS MARCO files.
#pragma once

namespace CLI {
class App;
}

namespace sgpt {
struct MsMarcoOptions;
}

namespace sgpt::cli {

/// To be called after --train_data was added, which excludes all of them.
void add_msmarco_options(CLI::App& command, MsMarcoOptions& options);

}  // namespace sgpt::cli
