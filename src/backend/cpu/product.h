// Whole matrix products, cut into tiles that any thread may compute: rows × a chunk of columns. Cutting it ourselves
// (and not leaving threads to the library) makes results independent of the number of threads, lets an epilogue see
// each tile while it is in the cache, and keeps cores busy when other programs take some of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "backend/cpu/tile_kernel.h"
#include "tensor/memory.h"

namespace sgpt::cpu {

/// The right side of a product, [inner, cols], in the layout of a tile kernel: chunks of columns, each in blocks of
/// rows.
class PackedMatrix {
 public:
  /// Room for a matrix; `inner_block` 0 means that the rows are one block.
  PackedMatrix(const TileKernel& kernel, std::int64_t inner, std::int64_t cols, std::int64_t inner_block = 0);

  const TileKernel& kernel() const { return *kernel_; }
  std::int64_t inner() const { return inner_; }
  std::int64_t cols() const { return cols_; }
  std::size_t bytes() const { return data_.bytes(); }

  std::int64_t chunks() const { return static_cast<std::int64_t>(chunks_.size()); }
  std::int64_t chunk_first(std::int64_t chunk) const;
  std::int64_t chunk_cols(std::int64_t chunk) const;
  std::int64_t blocks() const { return (inner_ + inner_block_ - 1) / inner_block_; }
  std::int64_t block_first(std::int64_t block) const { return block * inner_block_; }
  /// Rows of a block as packed: the last one is filled up with zeros, so that few shapes occur.
  std::int64_t block_rows(std::int64_t block) const;

  void* data(std::int64_t chunk, std::int64_t block) const;
  /// Packs one chunk from its columns, [inner, chunk_cols(chunk)]. Chunks may be packed from several threads.
  void pack_chunk(std::int64_t chunk, const StridedMatrix& columns, Workspace& workspace);

 private:
  const TileKernel* kernel_;
  std::int64_t inner_, cols_, inner_block_;
  bool blocked_;
  std::vector<std::size_t> chunks_;  // where each begins
  Buffer data_;
};

/// A finished piece of a product.
struct Tile {
  std::int64_t row, col;    // where it lies in the product
  std::int64_t rows, cols;  // how large it is
  float* data;              // may be overwritten
  std::int64_t stride;      // floats from row to row

  float* row_data(std::int64_t i) const { return data + i * stride; }
};

class Products {
 public:
  /// Which kernel computes the tiles: oneDNN's where it serves the shape, or our own always (for tests and benchmarks).
  enum class Kernel { best, simd };
  explicit Products(Kernel kernel, WorkspacePool& workspaces);

  /// The kernel for a right side of this shape.
  const TileKernel& kernel(std::int64_t inner, std::int64_t cols) const;

  /// Packs a whole matrix, for one product.
  PackedMatrix pack(const StridedMatrix& right) const;

  /// left · right; `finish` gets every tile of the product once, from any thread.
  void multiply(const StridedMatrix& left, const PackedMatrix& right,
                const std::function<void(const Tile&)>& finish) const;

 private:
  WorkspacePool& workspaces_;
  std::unique_ptr<TileKernel> onednn_;  // null for Kernel::simd
  std::unique_ptr<TileKernel> simd_;
};

}  // namespace sgpt::cpu
