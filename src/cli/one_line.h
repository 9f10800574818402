// A text on one line of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sgpt::cli {

/// The beginning of a UTF-8 text, at most `width` columns: white space and control characters become single spaces, and
/// what was cut is marked by "…". East Asian wide characters and emoji count as two columns.
std::string one_line(std::string_view text, std::size_t width);

/// How many columns a line takes.
std::size_t columns_of(std::string_view line);

}  // namespace sgpt::cli
