// Results go to stdout, whole or with an error: a full disk behind a redirection must not look like success.
#pragma once

#include <string_view>

namespace sgpt::cli {

/// Writes and flushes. Throws MachineError when stdout does not take it.
void print_result(std::string_view text);

}  // namespace sgpt::cli
