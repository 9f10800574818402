// Texts as token ids, lying end to end without padding.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace sgpt {

/// On the host: text b has the ids [offsets[b], offsets[b + 1]).
struct TokenBatch {
  std::vector<std::int32_t> ids;         // [T]
  std::vector<std::int32_t> offsets{0};  // [B + 1]

  std::int64_t tokens() const { return static_cast<std::int64_t>(ids.size()); }
  std::int64_t texts() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  void add(std::span<const std::int32_t> text) {
    ids.insert(ids.end(), text.begin(), text.end());
    offsets.push_back(static_cast<std::int32_t>(ids.size()));
  }
};

/// The same in the memory of a backend (Backend::place); a view.
struct PackedTexts {
  const std::int32_t* ids = nullptr;      // [T]
  const std::int32_t* offsets = nullptr;  // [B + 1]
  std::int64_t tokens = 0;                // T
  std::int64_t texts = 0;                 // B
  std::int64_t longest = 0;               // tokens of the longest text
};

/// A batch where it lies, for backends whose memory is the machine's own.
inline PackedTexts view_of(const TokenBatch& batch) {
  std::int64_t longest = 0;
  for (std::size_t b = 1; b < batch.offsets.size(); ++b) {
    longest = std::max<std::int64_t>(longest, batch.offsets[b] - batch.offsets[b - 1]);
  }
  return {batch.ids.data(), batch.offsets.data(), batch.tokens(), batch.texts(), longest};
}

}  // namespace sgpt
