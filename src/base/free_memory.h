// How much memory a process may still take.
#pragma once

#include <cstdint>
#include <filesystem>

namespace sgpt {

/// Bytes: what the kernel says is available (what it keeps of files counts as available), or less, where this process'
/// control group or one above it has a limit.
std::uint64_t free_memory();

/// What a file in the form of /proc/meminfo says is available. Kernels before 3.14 don't say so: there what is free and
/// what is kept of files. A file that is missing or says nothing bounds nothing.
std::uint64_t available_memory(const std::filesystem::path& meminfo);

}  // namespace sgpt
