#include "base/free_memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace sgpt {
namespace {

namespace fs = std::filesystem;

/// The number after a word in a file of "word number" lines.
std::optional<std::uint64_t> number_after(const fs::path& file, const std::string& word) {
  std::ifstream in(file);
  std::string found;
  for (std::string line; in >> found && std::getline(in, line);) {
    if (found == word) return std::strtoull(line.c_str(), nullptr, 10);
  }
  return std::nullopt;
}

/// What the two versions of control groups call the same things.
struct GroupFiles {
  fs::path root;
  const char* limit;  // a group without one says "max", or a number beyond all memory
  const char* used;   // in memory.stat: what the kernel could not take back by dropping what it keeps of files
};

/// The least that a group, or one above it, leaves.
std::uint64_t left_in_groups(const GroupFiles& files, fs::path group) {
  auto least = ~std::uint64_t{0};
  for (;; group = group.parent_path()) {
    const fs::path folder = files.root / group.relative_path();
    std::uint64_t limit = 0;
    if (std::ifstream(folder / files.limit) >> limit) {
      const std::uint64_t used = number_after(folder / "memory.stat", files.used).value_or(0);
      least = std::min(least, limit > used ? limit - used : 0);
    }
    if (!group.has_relative_path()) return least;
  }
}

/// Lines "number:controllers:path"; of version 2 the controllers are empty.
std::uint64_t left_in_own_groups() {
  auto least = ~std::uint64_t{0};
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    const std::size_t second = line.find(':', colon + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(colon + 1, second - colon - 1);
    const fs::path group = line.substr(second + 1);
    if (controllers.empty()) least = std::min(least, left_in_groups({"/sys/fs/cgroup", "memory.max", "anon"}, group));
    if (controllers == "memory") {
      const GroupFiles files{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "total_rss"};
      least = std::min(least, left_in_groups(files, group));
    }
  }
  return least;
}

}  // namespace

std::uint64_t available_memory(const fs::path& meminfo) {
  constexpr std::uint64_t kUnit = 1024;
  if (const auto available = number_after(meminfo, "MemAvailable:")) return *available * kUnit;
  const auto unused = number_after(meminfo, "MemFree:");
  if (!unused) return ~std::uint64_t{0};
  return (*unused + number_after(meminfo, "Cached:").value_or(0)) * kUnit;
}

std::uint64_t free_memory() { return std::min(available_memory("/proc/meminfo"), left_in_own_groups()); }

}  // namespace sgpt
