#include "sgpt/compute_type.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace sgpt {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 4> kNames{"f32", "bf16", "int8", "auto"};

}  // namespace

std::string_view name_of(ComputeType type) { return kNames[static_cast<std::size_t>(type)]; }

std::optional<ComputeType> compute_type_from(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<ComputeType>(found - kNames.begin());
}

}  // namespace sgpt
