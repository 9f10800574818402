// Random numbers that are the same on every machine and with every standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace sgpt {

/// PCG32 (O'Neill 2014, XSH-RR): a small state that checkpoints can hold.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0);

  std::uint32_t next();                      ///< all 32 bits
  std::uint32_t below(std::uint32_t bound);  ///< 0 … bound − 1, without bias
  double uniform();                          ///< [0, 1)
  double normal();                           ///< mean 0, variance 1 (Box-Muller)

  /// Fisher-Yates.
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[below(static_cast<std::uint32_t>(i))]);
    }
  }

  struct State {
    std::uint64_t state;
    std::uint64_t increment;
  };
  State state() const { return state_; }
  void set_state(State state) { state_ = state; }

 private:
  State state_;
};

}  // namespace sgpt
