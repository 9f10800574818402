// A server as a program: until a signal ends it.
#pragma once

#include "serve/serve_options.h"

namespace sgpt::serve {

/// Serves until SIGTERM or SIGINT, then finishes what was accepted; a second one ends the process at once. SIGHUP loads
/// the model anew. Tells systemd of its state where NOTIFY_SOCKET says so. Throws as App.
void run_server(const ServeOptions& options);

}  // namespace sgpt::serve
