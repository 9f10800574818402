// The left side of a product as the tile kernels want it: dense rows, block by block of the inner dimension.
#pragma once

#include <cstdint>

#include "backend/cpu/right_side.h"

namespace sgpt::cpu {

/// Rows come in multiples of the kernel's quantum. Copies as little as it can: nothing, or the last few rows, or
/// everything; and everything is converted where the kernel multiplies other numbers than floats, into the workspace.
class LeftSide {
 public:
  LeftSide(const StridedMatrix& left, const RightSide& right, std::int64_t tile_rows, Workspace& workspace);

  /// The rows from `row` on in one of the right side's blocks; `row` is where a tile begins.
  LeftRows block(std::int64_t row, std::int64_t block) const;

 private:
  void transpose();
  void copy_last_rows(std::int64_t first, Workspace& workspace);
  void copy(std::int64_t begin, std::int64_t end, std::int64_t block);
  void convert(std::int64_t begin, std::int64_t end);
  /// Where a row of a block lies in the copy, or its fine values.
  std::byte* place(std::int64_t row, std::int64_t block, bool fine = false) const;

  StridedMatrix left_;
  const RightSide& right_;
  std::int64_t rows_;             // with the filling
  std::int64_t inner_ = 0;        // of all blocks together
  bool dense_ = false;            // used as it lies
  std::int64_t copied_from_ = 0;  // of a dense left side: the rows from here on are a copy
  std::byte* copy_ = nullptr;     // [blocks][rows][block_rows], and the same again for fine values
  Buffer buffer_;                 // of a copy of all numbers, which is as large as activations are in training
  RowRange* ranges_ = nullptr;    // [blocks][rows], of converted rows
};

}  // namespace sgpt::cpu
