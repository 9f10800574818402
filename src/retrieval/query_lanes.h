// Distances between queries and documents, computed as they are defined: from norms and a product, as with many rows
// other programs do, the distance of near neighbours would be mostly rounding.
#pragma once

#include <cstdint>
#include <vector>

#include "sgpt/similarity.h"

namespace sgpt {

/// Queries side by side, so that one document is compared with many at a time, each sum being a chain of its own: the
/// bits of a score depend on nothing but its query and its document.
class QueryLanes {
 public:
  static constexpr std::int64_t kLanes = 16;

  /// `queries`: [width, dimension], width a multiple of kLanes.
  QueryLanes(const float* queries, std::int64_t width, std::int64_t dimension);

  /// scores[width] of one document: its negated distance from each query.
  void score(const float* document, Similarity distance, float* scores) const;

 private:
  std::int64_t width_;
  std::int64_t dimension_;
  std::vector<float> values_;  // [width / kLanes][dimension][kLanes]
};

}  // namespace sgpt
