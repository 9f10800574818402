// Whole matrix products, cut into tiles that any thread may compute: rows × a chunk of columns. Cutting it ourselves
// (and not leaving threads to the library) makes results independent of the number of threads, lets an epilogue see
// each tile while it is in the cache, and keeps cores busy when other programs take some of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "backend/cpu/right_side.h"
#include "backend/cpu/tile_kernel.h"
#include "sgpt/compute_type.h"

namespace sgpt::cpu {

/// So many rows at most are few: they fill a panel of our own kernel.
inline constexpr std::int64_t kMostFewRows = 64;

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
  /// Which kernel computes the tiles: the best for this processor, which serves the shape, or our own always, without
  /// instructions for small numbers but those of bf16 (for tests and benchmarks).
  enum class Kernel { best, simd };
  explicit Products(Kernel kernel, WorkspacePool& workspaces);

  /// Whether there are kernels of this type for this processor.
  bool computes(ComputeType type) const;
  /// The kernel for a packed right side of this shape, one for any number of rows that it will be multiplied with.
  const TileKernel& kernel(std::int64_t inner, std::int64_t cols, ComputeType type = ComputeType::f32) const;
  /// Whether code is generated for products of this type.
  bool generates_code(ComputeType type) const {
    return (type == ComputeType::bf16 && onednn_bf16_) || (type == ComputeType::int8 && onednn_int8_);
  }
  /// Our own kernel of f32 or bf16, whose packing is quick, which begins at once, and whose narrow chunks share a short
  /// query's rows evenly between threads.
  const TileKernel& own_kernel(ComputeType type) const { return type == ComputeType::bf16 ? *bf16_ : *simd_; }

  /// Packs a whole matrix, for one product.
  PackedMatrix pack(const StridedMatrix& right) const;

  /// left · right; `finish` gets every tile of the product once, from any thread.
  void multiply(const StridedMatrix& left, const RightSide& right,
                const std::function<void(const Tile&)>& finish) const;

  /// The same product in f32, with the bits of our own kernel, of few rows and a right side whose columns lie dense in
  /// memory. Nothing of it is packed: the transposed product is computed, where those columns are rows and stand left.
  void multiply_few(const StridedMatrix& left, const StridedMatrix& right,
                    const std::function<void(const Tile&)>& finish) const;

 private:
  WorkspacePool& workspaces_;
  std::unique_ptr<TileKernel> simd_, simd_int8_;
  std::unique_ptr<TileKernel> bf16_;  // null where the processor lacks the instructions
  // Null for Kernel::simd and where the processor lacks the instructions: oneDNN's are for AMX, where they are faster
  // than our own.
  std::unique_ptr<TileKernel> onednn_bf16_, onednn_int8_, vnni_int8_;
};

}  // namespace sgpt::cpu
