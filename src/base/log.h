// What the program tells people, on stderr; results alone go to stdout.
#pragma once

#include <string_view>

namespace sgpt::log {

/// One line each, written whole; thread-safe.
void info(std::string_view line);
void warning(std::string_view line);
/// A warning that may be found again, as when a file is read twice, and is told once.
void warning_once(std::string_view line);

}  // namespace sgpt::log
