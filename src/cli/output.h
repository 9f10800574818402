// Results go to stdout, whole or with an error: a full disk behind a redirection must not look like success.
#pragma once

#include <string_view>

namespace sgpt::cli {

/// Writes and flushes: a program that waits for an answer gets it. Throws MachineError when stdout does not take it.
void print_result(std::string_view text);

/// Writes a piece of something long, of which nobody waits for a part; main() flushes.
void print_part(std::string_view text);

}  // namespace sgpt::cli
