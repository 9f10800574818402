#include "text/word_cache.h"

#include <cstring>

namespace sgpt {

namespace {

constexpr std::size_t kFirstSlots = std::size_t{1} << 10;
constexpr std::size_t kMostSlots = std::size_t{1} << 16;  // some 3 MB with the words of ordinary text
constexpr std::size_t kMostProbes = 16;                   // texts made to collide cost no more than this

}  // namespace

WordCache::WordCache() : slots_(kFirstSlots) {}

std::optional<std::span<const std::int32_t>> WordCache::find(std::string_view word, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t probe = 0; probe < kMostProbes; ++probe) {
    const Slot& slot = slots_[(hash + probe) & mask];
    if (slot.bytes == 0) return std::nullopt;
    if (slot.hash == hash && slot.bytes == word.size() &&
        std::memcmp(bytes_.data() + slot.bytes_begin, word.data(), word.size()) == 0) {
      return std::span(ids_.data() + slot.ids_begin, slot.ids);
    }
  }
  return std::nullopt;
}

void WordCache::put(std::string_view word, std::uint64_t hash, std::span<const std::int32_t> ids) {
  if ((used_ + 1) * 2 > slots_.size()) make_room();
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t probe = 0; probe < kMostProbes; ++probe) {
    Slot& slot = slots_[(hash + probe) & mask];
    if (slot.bytes != 0) continue;
    slot = {hash, static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(ids_.size()),
            static_cast<std::uint8_t>(word.size()), static_cast<std::uint8_t>(ids.size())};
    bytes_ += word;
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    ++used_;
    return;
  }
}

void WordCache::make_room() {
  if (slots_.size() == kMostSlots) {  // full: forget everything, the common words are back at once
    slots_.assign(slots_.size(), {});
    bytes_.clear();
    ids_.clear();
    used_ = 0;
    return;
  }
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.bytes == 0) continue;
    std::size_t i = slot.hash & mask;
    while (slots_[i].bytes != 0) i = (i + 1) & mask;
    slots_[i] = slot;
  }
}

}  // namespace sgpt
