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
  std::vector<std::int32_t> skipped;     // [B] first tokens that pooling leaves out; empty: none of any text

  std::int64_t tokens() const { return static_cast<std::int64_t>(ids.size()); }
  std::int64_t texts() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  /// Pooling leaves out the first `skip` tokens; all of them, where there are no more.
  void add(std::span<const std::int32_t> text, std::int64_t skip = 0) {
    if (skip > 0) skipped.resize(static_cast<std::size_t>(texts()));
    if (skip > 0 || !skipped.empty()) {
      skipped.push_back(static_cast<std::int32_t>(std::min<std::int64_t>(skip, std::ssize(text))));
    }
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
  const std::int32_t* skipped = nullptr;  // [B] first tokens that pooling leaves out; null: none

  /// Of text b.
  std::int64_t skipped_of(std::int64_t b) const { return skipped ? skipped[b] : 0; }
};

/// A batch where it lies, for backends whose memory is the machine's own.
inline PackedTexts view_of(const TokenBatch& batch) {
  std::int64_t longest = 0;
  for (std::size_t b = 1; b < batch.offsets.size(); ++b) {
    longest = std::max<std::int64_t>(longest, batch.offsets[b] - batch.offsets[b - 1]);
  }
  return {batch.ids.data(), batch.offsets.data(),
          batch.tokens(),   batch.texts(),
          longest,          batch.skipped.empty() ? nullptr : batch.skipped.data()};
}

}  // namespace sgpt
