// How much memory is free: what the kernel says, and what the control group of a container leaves of it.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "train/trainer.h"

namespace sgpt {
namespace {

/// The number after a word in a file of "word number" lines.
std::optional<std::uint64_t> number_after(const char* file, const std::string& word) {
  std::ifstream in(file);
  std::string found;
  for (std::string line; in >> found && std::getline(in, line);) {
    if (found == word) return std::strtoull(line.c_str(), nullptr, 10);
  }
  return std::nullopt;
}

/// Of control groups v2 and v1; a group without a limit says "max", or a number beyond all memory.
std::optional<std::uint64_t> group_limit() {
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::uint64_t limit = 0;
    if (std::ifstream(file) >> limit) return limit;
  }
  return std::nullopt;
}

/// Memory in use that the kernel could not take back by dropping what it keeps of files.
std::uint64_t group_used() {
  if (const auto v2 = number_after("/sys/fs/cgroup/memory.stat", "anon")) return *v2;
  return number_after("/sys/fs/cgroup/memory/memory.stat", "total_rss").value_or(0);
}

}  // namespace

std::size_t default_activation_memory() {
  std::uint64_t free_bytes = number_after("/proc/meminfo", "MemAvailable:").value_or(0) * 1024;
  if (const auto limit = group_limit()) {
    const std::uint64_t used = group_used();
    free_bytes = std::min(free_bytes, *limit > used ? *limit - used : 0);
  }
  return static_cast<std::size_t>(free_bytes / 2);
}

}  // namespace sgpt
