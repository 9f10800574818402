// A tile of a matrix product: the part that differs between oneDNN and our own micro-kernel. product.h cuts whole
// products into tiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "backend/cpu/workspace.h"
#include "tensor/dtype.h"

namespace sgpt::cpu {

/// A matrix of f32, f16 or bf16 with any strides, one of them being 1; element (i, j) lies at data[i * row_stride +
/// j * col_stride].
struct StridedMatrix {
  const void* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t row_stride = 0;
  std::int64_t col_stride = 1;
  DType type = DType::f32;

  const float* f32() const { return static_cast<const float*>(data); }
  const void* at(std::int64_t row, std::int64_t col) const {
    return static_cast<const std::byte*>(data) +
           (row * row_stride + col * col_stride) * static_cast<std::int64_t>(size_of(type));
  }
  /// Rows and columns from `row` and `col` on.
  StridedMatrix part(std::int64_t row, std::int64_t count, std::int64_t col, std::int64_t wide) const {
    return {at(row, col), count, wide, row_stride, col_stride, type};
  }
};

/// Thread-safe; what a call computes depends on its arguments alone, and a row of the result only on that row of the
/// left side: the same bits wherever the row lies in the tile and however many rows the tile has.
class TileKernel {
 public:
  virtual ~TileKernel() = default;

  /// Whether the promise above holds for this shape of the right side.
  virtual bool supports(std::int64_t inner, std::int64_t cols) const = 0;
  /// Bytes of the right side [inner, cols] in the kernel's layout.
  virtual std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const = 0;
  /// Lays `right` [<= inner, cols] into `packed`, zeros in the rows that it lacks.
  virtual void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const = 0;
  /// Rows of a tile come in multiples of this.
  virtual std::int64_t row_quantum() const = 0;
  /// Floats from one row of a tile to the next.
  virtual std::int64_t tile_stride(std::int64_t cols) const = 0;
  /// tile[rows, cols] = left[rows, inner] · right; left is dense.
  virtual void multiply(const float* left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                        float* tile, Workspace& workspace) const = 0;
};

/// oneDNN's kernels on packed weights; they exist for AVX-512, elsewhere supports() is false.
std::unique_ptr<TileKernel> make_onednn_tiles();
/// The micro-kernel of this folder, for every processor.
std::unique_ptr<TileKernel> make_simd_tiles();

/// The slots of a Workspace that products use.
enum ProductSlot : std::size_t { kTileSlot, kSumSlot, kCopySlot, kConvertSlot, kLibrarySlot, kChunkSlot };

/// `m` as floats: itself, or a copy in kConvertSlot.
StridedMatrix as_floats(const StridedMatrix& m, Workspace& workspace);

}  // namespace sgpt::cpu
