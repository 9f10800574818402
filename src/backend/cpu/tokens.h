// Tasks over the tokens of a batch, each with its place in its text.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/parallel.h"
#include "tensor/token_batch.h"

namespace sgpt::cpu {

/// task(t, its place in its text) for every token t of the texts, in pieces.
template <class Task>
void for_each_token(const PackedTexts& texts, Task&& task) {
  constexpr std::int64_t kTokensPerTask = 16;
  parallel_ranges(texts.tokens, kTokensPerTask, [&](std::int64_t begin, std::int64_t end) {
    // Where the text after the first token's begins; empty texts begin where the next one does.
    const std::int32_t* next = std::upper_bound(texts.offsets, texts.offsets + texts.texts + 1, begin);
    for (std::int64_t t = begin; t < end; ++t) {
      while (*next <= t) ++next;
      task(t, t - next[-1]);
    }
  });
}

}  // namespace sgpt::cpu
