// The distribution of many numbers in a few: in TensorBoard's buckets, whose width grows with the distance from 0, and
// in equal bins for drawing.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace sgpt {

struct Histogram {
  static constexpr std::size_t kBins = 64;

  std::int64_t count = 0;  ///< of the finite values: all others are left out
  double min = 0;
  double max = 0;
  double sum = 0;
  double sum_of_squares = 0;
  /// Bucket i holds the values from limits[i − 1] to limits[i], the latter excluded. Empty buckets are merged.
  std::vector<double> limits;
  std::vector<std::int64_t> counts;
  /// kBins equal parts of min … max; all in the first when they are equal.
  std::array<std::int64_t, kBins> bins{};
};

Histogram make_histogram(std::span<const float> values);

}  // namespace sgpt
