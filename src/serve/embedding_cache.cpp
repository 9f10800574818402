#include "serve/embedding_cache.h"

namespace sgpt::serve {

/// With what lists and tables take, which is generous.
std::size_t EmbeddingCache::bytes_of(const Input& input, const Row& row) {
  return input.ids.size() * sizeof(std::int32_t) + row->size() * sizeof(float) + 256;
}

Row EmbeddingCache::find(const Input& input) {
  if (limit_ == 0) return nullptr;
  const auto found = places_.find(input);
  if (found == places_.end()) {
    ++misses_;
    return nullptr;
  }
  ++hits_;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->row;
}

void EmbeddingCache::put(const Input& input, const Row& row) {
  const std::size_t bytes = bytes_of(input, row);
  if (bytes > limit_) return;
  const auto [place, is_new] = places_.try_emplace(input);
  if (!is_new) return;
  kept_.push_front({&place->first, row});
  place->second = kept_.begin();
  bytes_ += bytes;
  while (bytes_ > limit_) {
    const Kept& last = kept_.back();
    bytes_ -= bytes_of(*last.input, last.row);
    places_.erase(places_.find(*last.input));
    kept_.pop_back();
  }
}

void EmbeddingCache::clear() {
  places_.clear();
  kept_.clear();
  bytes_ = 0;
}

}  // namespace sgpt::serve
