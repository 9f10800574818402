#include "backend/cpu/left_side.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"

namespace sgpt::cpu {
namespace {

constexpr std::int64_t kRowsAtOnce = 16;

/// dst[rows, cols] (dense, rows of `stride` floats) = src, in small squares because one of the two sides may be
/// transposed.
void copy_square_wise(const StridedMatrix& src, float* dst, std::int64_t stride) {
  const float* from = src.f32();
  constexpr std::int64_t kSide = 16;
  for (std::int64_t i0 = 0; i0 < src.rows; i0 += kSide) {
    for (std::int64_t j0 = 0; j0 < src.cols; j0 += kSide) {
      for (std::int64_t i = i0; i < std::min(src.rows, i0 + kSide); ++i) {
        for (std::int64_t j = j0; j < std::min(src.cols, j0 + kSide); ++j) {
          dst[i * stride + j] = from[i * src.row_stride + j * src.col_stride];
        }
      }
    }
  }
}

}  // namespace

LeftSide::LeftSide(const StridedMatrix& left, const RightSide& right, std::int64_t tile_rows, Workspace& workspace)
    : left_(left), right_(right) {
  const TileKernel& kernel = right.kernel();
  const std::int64_t quantum = kernel.row_quantum();
  rows_ = (left.rows + quantum - 1) / quantum * quantum;
  const bool converts = kernel.converts_left();
  dense_ = !converts && left.col_stride == 1 && left.row_stride == left.cols && right.blocks() == 1 &&
           right.block_rows(0) == left.cols;
  if (dense_) {
    copied_from_ = rows_ == left.rows ? rows_ : (left.rows - 1) / tile_rows * tile_rows;
    if (copied_from_ < rows_) copy_last_rows(copied_from_, workspace);
    return;
  }
  if (converts && left.col_stride != 1) transpose();
  for (std::int64_t block = 0; block < right.blocks(); ++block) inner_ += right.block_rows(block);
  const std::size_t bytes = static_cast<std::size_t>(rows_ * inner_) * kernel.left_value_bytes();
  if (!converts) {
    buffer_ = Buffer(host_memory(), bytes);
    copy_ = static_cast<std::byte*>(buffer_.data());
  } else {
    copy_ = static_cast<std::byte*>(workspace.bytes(kLeftSlot, kernel.has_fine_values() ? 2 * bytes : bytes));
    const auto count = static_cast<std::size_t>(right.blocks() * rows_);
    ranges_ = static_cast<RowRange*>(workspace.bytes(kRangeSlot, count * sizeof(RowRange)));
  }
  parallel_ranges(rows_, kRowsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    if (converts) return convert(begin, end);
    for (std::int64_t block = 0; block < right.blocks(); ++block) copy(begin, end, block);
  });
}

LeftRows LeftSide::block(std::int64_t row, std::int64_t block) const {
  if (dense_ && row < copied_from_) return {.values = left_.f32() + row * left_.cols};
  if (!ranges_) return {.values = place(row, block)};
  return {place(row, block), place(row, block, true), ranges_ + block * rows_ + row};
}

std::byte* LeftSide::place(std::int64_t row, std::int64_t block, bool fine) const {
  const std::int64_t element =
      rows_ * right_.block_first(block) + (row - copied_from_) * right_.block_rows(block) + (fine ? rows_ * inner_ : 0);
  return copy_ + static_cast<std::size_t>(element) * right_.kernel().left_value_bytes();
}

/// Makes it dense, for rows to be converted.
void LeftSide::transpose() {
  buffer_ = Buffer(host_memory(), static_cast<std::size_t>(left_.rows * left_.cols) * sizeof(float));
  auto* rows = static_cast<float*>(buffer_.data());
  const StridedMatrix from = left_;
  parallel_ranges(from.rows, kRowsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    copy_square_wise(from.part(begin, end - begin, 0, from.cols), rows + begin * from.cols, from.cols);
  });
  left_ = {rows, from.rows, from.cols, from.cols, 1};
}

void LeftSide::copy_last_rows(std::int64_t first, Workspace& workspace) {
  const auto row_bytes = static_cast<std::size_t>(left_.cols) * sizeof(float);
  const auto present = static_cast<std::size_t>(left_.rows - first), all = static_cast<std::size_t>(rows_ - first);
  copy_ = static_cast<std::byte*>(workspace.bytes(kLeftSlot, all * row_bytes));
  std::memcpy(copy_, left_.f32() + first * left_.cols, present * row_bytes);
  std::memset(copy_ + present * row_bytes, 0, (all - present) * row_bytes);
}

void LeftSide::copy(std::int64_t begin, std::int64_t end, std::int64_t block) {
  const std::int64_t first = right_.block_first(block), inner = right_.block_rows(block);
  auto* out = reinterpret_cast<float*>(place(begin, block));
  const std::int64_t rows = std::max<std::int64_t>(0, std::min(end, left_.rows) - begin);
  const std::int64_t cols = std::min(inner, left_.cols - first);
  if (rows < end - begin || cols < inner) std::fill(out, out + (end - begin) * inner, 0.0f);
  copy_square_wise(left_.part(begin, rows, first, cols), out, inner);
}

/// Group of rows by group, in the order in which they lie in memory.
void LeftSide::convert(std::int64_t begin, std::int64_t end) {
  const TileKernel& kernel = right_.kernel();
  const std::int64_t quantum = kernel.row_quantum();
  for (std::int64_t row = begin; row < end; row += quantum) {
    const std::int64_t present = std::clamp<std::int64_t>(left_.rows - row, 0, quantum);
    for (std::int64_t block = 0; block < right_.blocks(); ++block) {
      const std::int64_t first = right_.block_first(block), inner = right_.block_rows(block);
      const SourceRows from{present > 0 ? left_.at(row, first) : nullptr, left_.type, left_.row_stride, present,
                            std::min(inner, left_.cols - first)};
      kernel.convert_rows(from, inner, place(row, block), place(row, block, true), ranges_ + block * rows_ + row);
    }
  }
}

}  // namespace sgpt::cpu
