// sgpt bench --profile: each kind of work with its share of the time, beside the limit that the machine sets for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/profiled_backend.h"

namespace sgpt::bench {

struct ProfileRow {
  std::string work;
  double seconds = 0;
  std::optional<double> limit_seconds = {};  ///< what the same work would take at the machine's speed
};

/// What the machine can do, measured in the same run.
struct MachineSpeed {
  double flops = 0;  ///< a second, in the job's own matrix products by oneDNN alone
  double bytes = 0;  ///< a second, read and written by copying
};

/// Bytes a second, read and written, when all threads copy matrices of this size.
double copying_speed(std::size_t bytes);

/// The kinds of work that took any time, then the tokenizer, then what is left of `total`: packing batches, waiting.
std::vector<ProfileRow> profile_rows(const ProfiledBackend& backend, const MachineSpeed& speed,
                                     double tokenizer_seconds, double total_seconds);

}  // namespace sgpt::bench
