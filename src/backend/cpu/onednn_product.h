// oneDNN's matmul on a right side in its own blocked layout. Every call computes on one thread (product.h spreads tiles
// over threads), so that how oneDNN would split the work can never change a sum; and every call of a shape computes the
// same number of rows, so that it is one kernel, whatever the number of rows of the whole product: oneDNN chooses
// another one for few rows than for many, with other bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "backend/cpu/tile_kernel.h"

namespace sgpt::cpu {

/// Which types are multiplied; sums go into floats (exactly those of integers, below 2^24).
enum class OneDnnTypes { bf16, u8_s8 };

/// Thread-safe.
class OneDnnProduct {
 public:
  /// `rows` of a product are computed by a call.
  OneDnnProduct(OneDnnTypes types, std::int64_t rows);
  ~OneDnnProduct();

  std::int64_t rows() const;
  /// Whether oneDNN's kernel for this shape may be used: it is of its fast family, and gives a row the same bits
  /// wherever it lies, or integers their exact sums. That is not believed but tried, once for a shape.
  bool serves(std::int64_t inner, std::int64_t cols) const;
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const;
  /// `right` [<= inner, cols] of f32 or bf16, or of i8 for u8_s8.
  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const;
  /// product[rows(), cols] = left[rows(), inner] · right, dense.
  void multiply(const void* left, std::int64_t inner, std::int64_t cols, const void* packed, float* product,
                Workspace& workspace) const;

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

/// "oneDNN 2.6.3".
std::string onednn_version();

}  // namespace sgpt::cpu
