// The texts of one step as token ids.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/token_batch.h"

namespace sgpt {

/// columns[0]: the B queries, columns[1]: their positives, columns[2…]: their first, second… negatives; B texts each.
struct TrainingBatch {
  std::vector<TokenBatch> columns;

  std::int64_t size() const { return columns.empty() ? 0 : columns.front().texts(); }  // B
  std::int64_t tokens() const;
  /// The tokens of each chunk of so many rows of every column; 0: one chunk.
  std::vector<std::int64_t> chunk_tokens(std::int64_t chunk_size) const;
};

}  // namespace sgpt
