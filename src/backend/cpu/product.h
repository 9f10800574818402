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
  /// Which kernels compute the tiles: the best for this processor, or those for every processor, and AVX-512's of bf16
  /// (for tests and benchmarks).
  enum class Kernel { best, simd };
  explicit Products(Kernel kernel, WorkspacePool& workspaces);

  /// Whether there are kernels of this type for this processor.
  bool computes(ComputeType type) const;
  /// The kernel for right sides of this type, whatever they are multiplied with.
  const TileKernel& kernel(ComputeType type = ComputeType::f32) const;
  /// Packs a whole matrix, for one product.
  PackedMatrix pack(const StridedMatrix& right, ComputeType type = ComputeType::f32) const;

  /// left · right; `finish` gets every tile of the product once, from any thread.
  void multiply(const StridedMatrix& left, const RightSide& right,
                const std::function<void(const Tile&)>& finish) const;

  /// The same product in f32, with the bits of our own kernel, of few rows and a right side whose columns lie dense in
  /// memory. Nothing of it is packed: the transposed product is computed, where those columns are rows and stand left.
  void multiply_few(const StridedMatrix& left, const StridedMatrix& right,
                    const std::function<void(const Tile&)>& finish) const;

 private:
  WorkspacePool& workspaces_;
  std::unique_ptr<TileKernel> simd_, bf16_, int8_;  // bf16_ is null where the processor lacks the instructions
};

}  // namespace sgpt::cpu
