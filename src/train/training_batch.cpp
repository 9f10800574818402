#include "train/training_batch.h"

#include <algorithm>
#include <cstddef>

namespace sgpt {

std::int64_t TrainingBatch::tokens() const {
  std::int64_t sum = 0;
  for (const TokenBatch& column : columns) sum += column.tokens();
  return sum;
}

std::vector<std::int64_t> TrainingBatch::chunk_tokens(std::int64_t chunk_size) const {
  const std::int64_t rows = size();
  const std::int64_t step = chunk_size > 0 ? chunk_size : std::max<std::int64_t>(rows, 1);
  std::vector<std::int64_t> tokens;
  for (std::int64_t row = 0; row < rows; row += step) {
    const auto begin = static_cast<std::size_t>(row);
    const auto end = static_cast<std::size_t>(std::min(row + step, rows));
    std::int64_t sum = 0;
    for (const TokenBatch& column : columns) sum += column.offsets[end] - column.offsets[begin];
    tokens.push_back(sum);
  }
  return tokens;
}

}  // namespace sgpt
