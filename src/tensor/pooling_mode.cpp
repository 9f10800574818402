#include <algorithm>
#include <array>
#include <cstddef>

#include "sgpt/pooling.h"

namespace sgpt {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 6> kNames{"cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken"};

}  // namespace

std::string_view name_of(PoolingMode mode) { return kNames[static_cast<std::size_t>(mode)]; }

std::optional<PoolingMode> pooling_mode_from(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<PoolingMode>(found - kNames.begin());
}

}  // namespace sgpt
