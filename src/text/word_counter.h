// How often each word occurs in a stream of texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/hash.h"

namespace sgpt {

class WordCounter {
 public:
  void add(std::string_view word) {
    const std::uint64_t hash = hash_of(word);
    std::size_t i = hash & (slots_.size() - 1);
    for (; slots_[i] != kFree; i = (i + 1) & (slots_.size() - 1)) {
      Entry& entry = entries_[slots_[i]];
      if (entry.hash == hash && text(entry) == word) {
        ++entry.count;
        return;
      }
    }
    slots_[i] = entries_.size();
    entries_.push_back({hash, characters_.size(), word.size(), 1});
    characters_ += word;
    if (entries_.size() * 2 > slots_.size()) grow();
  }

  /// Number of different words; in the order in which they first occurred:
  std::size_t size() const { return entries_.size(); }
  std::string_view word(std::size_t i) const { return text(entries_[i]); }
  std::int64_t count(std::size_t i) const { return entries_[i].count; }

 private:
  static constexpr std::size_t kFree = static_cast<std::size_t>(-1);
  struct Entry {
    std::uint64_t hash;
    std::size_t begin;
    std::size_t length;
    std::int64_t count;
  };

  std::string_view text(const Entry& entry) const { return {characters_.data() + entry.begin, entry.length}; }

  void grow() {
    slots_.assign(slots_.size() * 2, kFree);
    for (std::size_t e = 0; e < entries_.size(); ++e) {
      std::size_t i = entries_[e].hash & (slots_.size() - 1);
      while (slots_[i] != kFree) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = e;
    }
  }

  std::vector<std::size_t> slots_ = std::vector<std::size_t>(1024, kFree);  // places in entries_, at most half full
  std::vector<Entry> entries_;
  std::string characters_;
};

}  // namespace sgpt
