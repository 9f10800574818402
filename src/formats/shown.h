// How messages quote what stands in a file and may hold anything.
#pragma once

#include <string>
#include <string_view>

namespace sgpt {

/// In quotes, fit for one line of a terminal: at most 80 bytes, everything but printable ASCII as \xNN.
std::string shown(std::string_view name);

}  // namespace sgpt
