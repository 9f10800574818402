#include "base/random.h"

#include <cmath>
#include <numbers>

namespace sgpt {

Random::Random(std::uint64_t seed, std::uint64_t stream) : state_{0, (stream << 1) | 1} {
  next();
  state_.state += seed;
  next();
}

std::uint32_t Random::next() {
  const std::uint64_t old = state_.state;
  state_.state = old * 6364136223846793005ULL + state_.increment;
  const auto shifted = static_cast<std::uint32_t>(((old >> 18) ^ old) >> 27);
  const auto rotation = static_cast<std::uint32_t>(old >> 59);
  return (shifted >> rotation) | (shifted << ((32 - rotation) & 31));
}

std::uint32_t Random::below(std::uint32_t bound) {
  // Numbers below 2^32 mod bound would make the small remainders likelier: they are drawn again.
  const std::uint32_t threshold = (0u - bound) % bound;
  for (;;) {
    const std::uint32_t drawn = next();
    if (drawn >= threshold) return drawn % bound;
  }
}

double Random::uniform() {
  const std::uint64_t high = next() >> 5;
  const std::uint64_t low = next() >> 6;
  return static_cast<double>((high << 26) | low) * 0x1p-53;
}

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace sgpt
