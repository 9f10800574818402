// How many documents to embed between two reports of progress: as many as take a second or two, since models differ in
// speed by a factor of thousands.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace sgpt {

class ChunkPacer {
 public:
  std::size_t size() const { return size_; }

  /// A chunk begins now, and ends with the next call.
  void begin() { begun_ = std::chrono::steady_clock::now(); }
  void end() {
    constexpr std::chrono::seconds kQuick{1};
    constexpr std::chrono::seconds kSlow{4};
    const auto took = std::chrono::steady_clock::now() - begun_;
    if (took < kQuick) size_ = std::min(2 * size_, kMost);
    if (took > kSlow) size_ = std::max(size_ / 2, kLeast);
  }

 private:
  static constexpr std::size_t kLeast = 16;
  static constexpr std::size_t kMost = 4096;
  std::size_t size_ = 64;
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace sgpt
