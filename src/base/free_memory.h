// How much memory a process may still take.
#pragma once

#include <cstdint>

namespace sgpt {

/// Bytes: what the kernel says is available (what it keeps of files counts as available), or less, where this process'
/// control group or one above it has a limit.
std::uint64_t free_memory();

}  // namespace sgpt
