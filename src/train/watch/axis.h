// The axis of a chart: its range, and the round numbers that stand along it. Three at the least, and no two that read
// the same, whatever was measured: a constant, nothing but zeros, 1e-9, 1e9, a single point.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace sgpt {

struct Range {
  double low = 0;
  double high = 1;
  /// Where a value lies: 0 at `low`, 1 at `high`.
  double part_of(double value) const { return (value - low) / (high - low); }
};

/// Whether a value can be drawn: a number, and of a size that can still be calculated with.
bool drawable(double value);

/// From the lowest to the highest of the drawable values, and not narrower than a thousandth of them.
Range range_of(std::span<const double> values);

/// Of steps, ascending: at least two steps wide.
Range range_of_steps(std::span<const double> steps);

struct Tick {
  double value;
  std::string label;
};

/// Multiples of 1, 2 or 5 times a power of ten that lie in the range: three to seven.
std::vector<Tick> ticks(const Range& range);

/// A number in `digits` significant digits at most: 0.0004, 12, 35k, 1.2e-9.
std::string short_number(double value, int digits = 4);

}  // namespace sgpt
