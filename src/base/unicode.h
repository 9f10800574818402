// UTF-8: is it valid, and what is white space.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sgpt {

/// The byte offset of the first invalid sequence, or nothing when all is valid UTF-8.
std::optional<std::size_t> invalid_utf8(std::string_view text);

/// Without leading and trailing white space, all of Unicode's as Python's str.strip takes it. The text is valid UTF-8.
std::string_view strip(std::string_view text);

}  // namespace sgpt
