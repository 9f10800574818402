#include "retrieval/query_lanes.h"

#include <array>
#include <cmath>
#include <cstddef>

namespace sgpt {
namespace {

using Sums = std::array<float, static_cast<std::size_t>(QueryLanes::kLanes)>;

/// Of one group: the sum of term(difference) over the dimensions.
template <class Term>
Sums sums_of(const float* document, const float* group, std::int64_t dimension, Term term) {
  Sums sums{};
  for (std::int64_t i = 0; i < dimension; ++i, group += QueryLanes::kLanes) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane) sums[lane] += term(document[i] - group[lane]);
  }
  return sums;
}

}  // namespace

QueryLanes::QueryLanes(const float* queries, std::int64_t width, std::int64_t dimension)
    : width_(width), dimension_(dimension), values_(static_cast<std::size_t>(width * dimension)) {
  for (std::int64_t query = 0; query < width; ++query) {
    const std::int64_t group = query / kLanes * kLanes * dimension + query % kLanes;
    for (std::int64_t i = 0; i < dimension; ++i) {
      values_[static_cast<std::size_t>(group + i * kLanes)] = queries[query * dimension + i];
    }
  }
}

void QueryLanes::score(const float* document, Similarity distance, float* scores) const {
  for (std::int64_t first = 0; first < width_; first += kLanes) {
    const float* group = values_.data() + first * dimension_;
    const bool euclidean = distance == Similarity::euclidean;
    const Sums sums = euclidean ? sums_of(document, group, dimension_, [](float x) { return x * x; })
                                : sums_of(document, group, dimension_, [](float x) { return std::fabs(x); });
    for (const float sum : sums) *scores++ = euclidean ? -std::sqrt(sum) : -sum;
  }
}

}  // namespace sgpt
