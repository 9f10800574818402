// A whole product by one kernel of tiles, for the tests of kernels.
#pragma once

#include "backend/cpu/product.h"
#include "matrices.h"

namespace sgpt::testing {

inline cpu::StridedMatrix strided(ConstMatrix m) { return {m.data, m.rows, m.cols, m.cols, 1, m.type}; }

/// x · wᵀ by one kernel.
class KernelProduct {
 public:
  KernelProduct(const cpu::TileKernel& kernel, ConstMatrix w) : right_(kernel, w.cols, w.rows) {
    cpu::Workspace workspace;
    for (std::int64_t i = 0; i < right_.chunks(); ++i) right_.fill(i, strided(w).transposed(), workspace);
  }
  Owned operator()(ConstMatrix x) {
    Owned y(x.rows, right_.cols());
    products_.multiply(strided(x), right_, [&](const cpu::Tile& tile) {
      for (std::int64_t i = 0; i < tile.rows; ++i) {
        for (std::int64_t j = 0; j < tile.cols; ++j) y.at(tile.row + i, tile.col + j) = tile.row_data(i)[j];
      }
    });
    return y;
  }

 private:
  cpu::WorkspacePool workspaces_;
  cpu::Products products_{cpu::Products::Kernel::simd, workspaces_};
  cpu::PackedMatrix right_;
};

}  // namespace sgpt::testing
