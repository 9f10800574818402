#include "backend/cpu/product.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "backend/cpu/parallel.h"

namespace sgpt::cpu {
namespace {

// Measured with oneDNN 2.6 on AVX-512: tiles of 128 × 256 run at the speed of the whole product.
constexpr std::int64_t kTileRows = 128;
constexpr std::int64_t kLeastTileRows = 32;
// Inner sizes that follow the batch (weight gradients: T tokens) are cut into blocks of one size, the last one filled
// up with zeros to a multiple, so that the kernel meets few shapes.
constexpr std::int64_t kInnerBlock = 512;
constexpr std::int64_t kInnerMultiple = 64;

std::int64_t rounded_up(std::int64_t n, std::int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/// dst[rows, cols] (dense, rows of `stride` floats) = src, in small squares because one of the two sides may be
/// transposed.
void copy_square_wise(const StridedMatrix& src, float* dst, std::int64_t stride) {
  constexpr std::int64_t kSide = 16;
  for (std::int64_t i0 = 0; i0 < src.rows; i0 += kSide) {
    for (std::int64_t j0 = 0; j0 < src.cols; j0 += kSide) {
      for (std::int64_t i = i0; i < std::min(src.rows, i0 + kSide); ++i) {
        for (std::int64_t j = j0; j < std::min(src.cols, j0 + kSide); ++j) {
          dst[i * stride + j] = src.f32()[i * src.row_stride + j * src.col_stride];
        }
      }
    }
  }
}

/// The left side as kernels want it: each block of columns a dense matrix of its own, and rows up to a multiple of the
/// kernel's quantum. Copies as little as it can: nothing, or the last few rows, or everything.
class LeftSide {
 public:
  LeftSide(const StridedMatrix& left, const RightSide& right, std::int64_t tile_rows)
      : left_(left), rows_(rounded_up(left.rows, right.kernel().row_quantum())) {
    dense_ =
        left.col_stride == 1 && left.row_stride == left.cols && right.blocks() == 1 && right.block_rows(0) == left.cols;
    if (dense_) {
      copied_from_ = rows_ == left.rows ? rows_ : (left.rows - 1) / tile_rows * tile_rows;
      const std::int64_t count = rows_ - copied_from_;
      if (count == 0) return;
      copy_ = Buffer(host_memory(), static_cast<std::size_t>(count * left.cols) * sizeof(float));
      const std::int64_t present = left.rows - copied_from_;
      std::memcpy(floats(), left.f32() + copied_from_ * left.cols,
                  static_cast<std::size_t>(present * left.cols) * sizeof(float));
      std::fill(floats() + present * left.cols, floats() + count * left.cols, 0.0f);
      return;
    }
    std::int64_t inner = 0;
    for (std::int64_t k = 0; k < right.blocks(); ++k) inner += right.block_rows(k);
    copy_ = Buffer(host_memory(), static_cast<std::size_t>(rows_ * inner) * sizeof(float));
    parallel_ranges(rows_, tile_rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = 0; k < right.blocks(); ++k)
        copy_block(begin, end, right.block_first(k), right.block_rows(k));
    });
  }

  /// Rows from `row` on of a block of columns that begins at `first` and has `inner` columns.
  const float* block(std::int64_t row, std::int64_t first, std::int64_t inner) const {
    if (!dense_) return floats() + rows_ * first + row * inner;
    return row < copied_from_ ? left_.f32() + row * inner : floats() + (row - copied_from_) * inner;
  }

 private:
  float* floats() const { return static_cast<float*>(copy_.data()); }

  void copy_block(std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t inner) {
    float* out = floats() + rows_ * first + begin * inner;
    const std::int64_t rows = std::max<std::int64_t>(0, std::min(end, left_.rows) - begin);
    const std::int64_t cols = std::min(inner, left_.cols - first);
    if (rows < end - begin || cols < inner) std::fill(out, out + (end - begin) * inner, 0.0f);
    copy_square_wise(left_.part(begin, rows, first, cols), out, inner);
  }

  StridedMatrix left_;
  std::int64_t rows_;  // with the filling
  bool dense_ = false;
  std::int64_t copied_from_ = 0;  // of a dense left side: the rows from here on are a copy
  Buffer copy_;
};

/// Enough that threads which come free find something to do.
std::int64_t enough_tasks() { return 3 * std::int64_t{omp_get_max_threads()}; }

/// Smaller tiles when there would be too few for the threads; a row's bits do not depend on it.
std::int64_t rows_of_tiles(std::int64_t rows, std::int64_t chunks) {
  std::int64_t tile = kTileRows;
  while (tile > kLeastTileRows && (rows + tile - 1) / tile * chunks < enough_tasks()) tile /= 2;
  return tile;
}

/// Tiles below each other that one thread computes with a chunk: one, or, where packing a chunk costs, as many as leave
/// enough tasks.
std::int64_t tiles_of_task(std::int64_t tiles, const RightSide& right) {
  if (right.resident()) return 1;
  const std::int64_t groups =
      std::clamp<std::int64_t>((enough_tasks() + right.chunks() - 1) / right.chunks(), 1, tiles);
  return (tiles + groups - 1) / groups;
}

}  // namespace

Products::Products(Kernel kernel, WorkspacePool& workspaces)
    : workspaces_(workspaces),
      onednn_(kernel == Kernel::best ? make_onednn_tiles() : nullptr),
      simd_(make_simd_tiles()) {}

const TileKernel& Products::kernel(std::int64_t inner, std::int64_t cols) const {
  // The last chunk may be narrower; the answer must be right for both.
  const bool serves = onednn_ && onednn_->supports(inner, std::min(cols, kChunkCols)) &&
                      (cols % kChunkCols == 0 || onednn_->supports(inner, cols % kChunkCols));
  return serves ? *onednn_ : *simd_;
}

PackedMatrix Products::pack(const StridedMatrix& right) const {
  const TileKernel& chosen = kernel(std::min(kInnerBlock, rounded_up(right.rows, kInnerMultiple)), right.cols);
  PackedMatrix packed(chosen, right.rows, right.cols, kInnerBlock);
  parallel_workers(packed.chunks(), [&] {
    return [&packed, &right, workspace = workspaces_.take()](std::int64_t chunk) {
      packed.fill(chunk, right, *workspace);
    };
  });
  return packed;
}

void Products::multiply(const StridedMatrix& left, const RightSide& right,
                        const std::function<void(const Tile&)>& finish) const {
  assert(left.cols == right.inner());
  if (left.rows == 0 || right.cols() == 0) return;
  const TileKernel& kernel = right.kernel();
  const std::int64_t tile_rows = rows_of_tiles(left.rows, right.chunks());
  const LeftSide rows(left, right, tile_rows);

  const std::int64_t tiles = (left.rows + tile_rows - 1) / tile_rows;
  const std::int64_t group = tiles_of_task(tiles, right);

  const auto compute_tile = [&](std::int64_t tile_number, std::int64_t chunk, const std::byte* packed,
                                Workspace& workspace) {
    const std::int64_t row = tile_number * tile_rows;
    const std::int64_t count = std::min(tile_rows, left.rows - row), cols = right.chunk_cols(chunk);
    const std::int64_t computed = rounded_up(count, kernel.row_quantum()), stride = kernel.tile_stride(cols);
    float* sum = workspace.floats(kSumSlot, kTileRows * stride);
    for (std::int64_t block = 0; block < right.blocks(); ++block) {
      const std::int64_t inner = right.block_rows(block);
      float* tile = block == 0 ? sum : workspace.floats(kTileSlot, kTileRows * stride);
      kernel.multiply(rows.block(row, right.block_first(block), inner), computed, inner, cols,
                      packed + right.block_offset(chunk, block), tile, workspace);
      for (std::int64_t i = 0; block > 0 && i < count * stride; ++i) sum[i] += tile[i];
    }
    finish({row, right.chunk_first(chunk), count, cols, sum, stride});
  };
  const auto compute = [&](std::int64_t task, Workspace& workspace) {
    const std::int64_t first = task / right.chunks() * group, chunk = task % right.chunks();
    const std::byte* packed = right.chunk(chunk, workspace);
    for (std::int64_t tile = first; tile < std::min(tiles, first + group); ++tile) {
      compute_tile(tile, chunk, packed, workspace);
    }
  };
  parallel_workers((tiles + group - 1) / group * right.chunks(), [&] {
    return [&compute, workspace = workspaces_.take()](std::int64_t task) { compute(task, *workspace); };
  });
}

}  // namespace sgpt::cpu
