// oneDNN's matmul on a right side in its own blocked layout. Every call computes on one thread (product.h spreads tiles
// over threads), so that how oneDNN would split the work can never change a sum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "backend/cpu/tile_kernel.h"

namespace sgpt::cpu {

/// Which types are multiplied; sums go into floats (exactly those of integers, below 2^24).
enum class OneDnnTypes { f32, bf16, u8_s8 };

/// Thread-safe.
class OneDnnProduct {
 public:
  explicit OneDnnProduct(OneDnnTypes types);
  ~OneDnnProduct();

  /// Rows of a product come in multiples of this: any number would fill the cache of compiled kernels, and a large
  /// multiple would cost short texts dearly.
  static constexpr std::int64_t kRowQuantum = 4;

  /// Whether oneDNN has a kernel for this shape that is made for the types and whose rows do not depend on each other.
  bool serves(std::int64_t inner, std::int64_t cols) const;
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const;
  /// `right` [<= inner, cols] of f32 or bf16, or of i8 for u8_s8.
  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const;
  /// product[rows, cols] = left[rows, inner] · right, dense.
  void multiply(const void* left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* product, Workspace& workspace) const;

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

}  // namespace sgpt::cpu
