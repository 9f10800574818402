// All lines "pid, tab, text" of a collection, found on all cores without keeping the file in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "base/mapped_file.h"

namespace sgpt {

struct PassageTable {
  std::vector<std::uint64_t> offsets;  ///< where the texts begin, by row; rows are in the order of the pids
  std::vector<std::uint32_t> pids;     ///< by row; empty when the pids are 0 … N-1
};

/// Throws UserError naming file and line when a line has no tab, no number from 0 to 4294967294 before it, or a number
/// that an earlier line has.
PassageTable scan_passages(const MappedFile& collection);

}  // namespace sgpt
