// Words seen before and their ids: most of a text is words that were there already. Bounded; belongs to one thread at a
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sgpt {

class WordCache {
 public:
  /// Longer words are rare and hardly come again.
  static constexpr std::size_t kLongestWord = 64;

  WordCache();

  /// `hash` is hash_of(word). Valid until the next put().
  std::optional<std::span<const std::int32_t>> find(std::string_view word, std::uint64_t hash) const;

  /// `word` is not longer than kLongestWord, has no more ids than bytes, and find() just said that it is not there.
  void put(std::string_view word, std::uint64_t hash, std::span<const std::int32_t> ids);

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t bytes_begin = 0;
    std::uint32_t ids_begin = 0;
    std::uint8_t bytes = 0;  // 0: free
    std::uint8_t ids = 0;
  };

  void make_room();

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::size_t used_ = 0;
  std::string bytes_;
  std::vector<std::int32_t> ids_;
};

}  // namespace sgpt
