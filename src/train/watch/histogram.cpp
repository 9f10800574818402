#include "train/watch/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sgpt {
namespace {

/// TensorBoard's own limits: 1e-12 · 1.1^k up to 1e20 on both sides of 0.
std::vector<double> bucket_limits() {
  std::vector<double> positive;
  for (double limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push_back(limit);
  positive.push_back(std::numeric_limits<double>::max());
  std::vector<double> limits(positive.rbegin(), positive.rend());
  for (double& limit : limits) limit = -limit;
  limits.push_back(0);
  limits.insert(limits.end(), positive.begin(), positive.end());
  return limits;
}

void measure(std::span<const float> values, Histogram& histogram) {
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    histogram.min = histogram.count == 0 ? value : std::min<double>(histogram.min, value);
    histogram.max = histogram.count == 0 ? value : std::max<double>(histogram.max, value);
    histogram.sum += value;
    histogram.sum_of_squares += static_cast<double>(value) * value;
    ++histogram.count;
  }
}

/// Of neighbouring empty buckets one is left, so that the next one's lower limit is known.
void keep_filled(std::span<const double> limits, std::span<const std::int64_t> counts, Histogram& histogram) {
  const auto filled = [](std::int64_t count) { return count > 0; };
  const auto last = std::find_if(counts.rbegin(), counts.rend(), filled).base() - counts.begin();
  for (std::ptrdiff_t i = 0; i < last; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (counts[at] == 0 && counts[at + 1] == 0) continue;
    histogram.limits.push_back(limits[at]);
    histogram.counts.push_back(counts[at]);
  }
}

}  // namespace

Histogram make_histogram(std::span<const float> values) {
  static const std::vector<double> limits = bucket_limits();
  Histogram histogram;
  measure(values, histogram);
  const double width = (histogram.max - histogram.min) / Histogram::kBins;
  std::vector<std::int64_t> counts(limits.size());
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const auto bucket = std::upper_bound(limits.begin(), limits.end(), static_cast<double>(value));
    ++counts[static_cast<std::size_t>(bucket - limits.begin())];
    const auto bin = width > 0 ? static_cast<std::size_t>((value - histogram.min) / width) : 0;
    ++histogram.bins[std::min(bin, Histogram::kBins - 1)];
  }
  keep_filled(limits, counts, histogram);
  return histogram;
}

}  // namespace sgpt
