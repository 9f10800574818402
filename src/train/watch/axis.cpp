#include "train/watch/axis.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include <fmt/format.h>

namespace sgpt {
namespace {

constexpr double kLargest = 1e300;
constexpr double kSmallest = 1e-300;  // what is nearer to 0 is drawn as 0
constexpr double kNarrowest = 1e-3;   // of the values: labels need a digit more for each tenth of it
constexpr double kSlack = 1e-9;       // of a tick's distance, for the rounding of its multiples

struct Multiples {
  double first;
  double last;
  double count() const { return last - first + 1; }
};

Multiples multiples_in(const Range& range, double distance) {
  return {std::ceil(range.low / distance - kSlack), std::floor(range.high / distance + kSlack)};
}

/// The largest of which three lie in the range.
double tick_distance(const Range& range) {
  for (double power = std::pow(10, std::ceil(std::log10(range.high - range.low)));; power /= 10) {
    for (const double factor : {1.0, 0.5, 0.2}) {
      if (multiples_in(range, factor * power).count() >= 3) return factor * power;
    }
  }
}

/// Digits that tell multiples of `distance` apart; zeros at the end are not written.
int digits_of(double value, double distance) {
  if (value == 0) return 1;
  const double more = std::floor(std::log10(std::abs(value)) + kSlack) - std::floor(std::log10(distance) + kSlack);
  return std::max(4, static_cast<int>(more) + 1);
}

}  // namespace

bool drawable(double value) { return std::isfinite(value) && std::abs(value) < kLargest; }

Range range_of(std::span<const double> values) {
  Range range{0, 0};
  bool first = true;
  for (const double value : values) {
    if (!drawable(value)) continue;
    range.low = first ? value : std::min(range.low, value);
    range.high = first ? value : std::max(range.high, value);
    first = false;
  }
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  if (size < kSmallest) return {-1, 1};
  if (range.high == range.low) return {range.low - 0.1 * size, range.high + 0.1 * size};
  const double missing = kNarrowest * size - (range.high - range.low);
  if (missing <= 0) return range;
  return {range.low - missing / 2, range.high + missing / 2};
}

Range range_of_steps(std::span<const double> steps) {
  if (steps.empty()) return {0, 2};
  return {steps.front(), std::max(steps.back(), steps.front() + 2)};
}

std::vector<Tick> ticks(const Range& range) {
  const double distance = tick_distance(range);
  const Multiples multiples = multiples_in(range, distance);
  std::vector<Tick> found;
  for (double number = multiples.first; number <= multiples.last; ++number) {
    const double value = number == 0 ? 0 : number * distance;
    found.push_back({value, short_number(value, digits_of(value, distance))});
  }
  return found;
}

std::string short_number(double value, int digits) {
  const double size = std::abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) {
    const std::string text = fmt::format("{:.{}g}", value, digits);
    const std::size_t sign = text.find('e') + 1;  // "1.2e-09" without the zero, "1e+20" without the plus
    const std::string exponent = text.substr(text.find_first_not_of("+-0", sign));
    return text.substr(0, sign) + (text[sign] == '-' ? "-" : "") + exponent;
  }
  for (const auto& [limit, unit, letter] : {std::tuple{1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}}) {
    if (size >= limit) return fmt::format("{:.{}g}{}", value / unit, digits, letter);
  }
  return fmt::format("{:.{}g}", value, digits);
}

}  // namespace sgpt
