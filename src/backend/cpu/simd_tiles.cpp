// Tiles of f32 by our own micro-kernel. Every element of a product is one chain of sums in the order of k, wherever it
// lies: that is why a row has the same bits whatever the other rows and columns are. (oneDNN's AVX2 product gives a row
// other bits at odd places than at even ones; its AVX-512 one cuts long sums in pieces.)
#include "backend/cpu/simd.h"

#include "backend/cpu/tile_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd_tiles.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>

#include "backend/cpu/micro_kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

// So many k at a time that a panel's piece stays in the first cache while the rows pass by.
constexpr std::int64_t kInnerBlock = 256;

std::int64_t tile_width() { return panel_width(); }

std::int64_t inner_block() { return kInnerBlock; }

template <class T>
void pack_block_of(const T* data, const StridedMatrix& right, std::int64_t block, float* panels) {
  const std::int64_t present = right.rows;
  if (present == block) return pack_panels(data, right.row_stride, right.col_stride, block, right.cols, panels);
  std::memset(panels, 0, static_cast<std::size_t>(panels_size(block, right.cols)) * sizeof(float));
  for (std::int64_t j = 0; j < right.cols; ++j) {
    float* panel = panels + j / panel_width() * panel_width() * block + j % panel_width();
    for (std::int64_t i = 0; i < present; ++i) {
      panel[i * panel_width()] = to_float(data[i * right.row_stride + j * right.col_stride]);
    }
  }
}

/// One block of k: panels side by side. The rows of `right` [<= block, cols] of f32 or bf16 may be fewer; zeros follow.
void pack_block(const StridedMatrix& right, std::int64_t block, float* panels) {
  if (right.type == DType::bf16) return pack_block_of(static_cast<const Bf16*>(right.data), right, block, panels);
  pack_block_of(right.f32(), right, block, panels);
}

void multiply_tile(const float* left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const float* packed,
                   float* tile, bool accumulate) {
  for (std::int64_t k = 0; k < inner; k += kInnerBlock) {
    multiply_panels(rows, cols, HWY_MIN(kInnerBlock, inner - k), {left + k, inner, 1},
                    packed + k * round_up(cols, panel_width()), tile, round_up(cols, panel_width()),
                    accumulate || k > 0);
  }
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sgpt::cpu {

HWY_EXPORT(tile_width);
HWY_EXPORT(inner_block);
HWY_EXPORT(pack_block);
HWY_EXPORT(multiply_tile);

namespace {

class SimdTiles final : public TileKernel {
 public:
  std::string_view name() const override { return "own f32"; }
  std::int64_t chunk_cols() const override { return kNarrowChunkCols; }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return static_cast<std::size_t>(inner * tile_stride(cols)) * sizeof(float);
  }
  /// Blocks of k one after the other. Halves are converted block by block, so that the floats are still in the cache.
  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const override {
    const std::int64_t most = HWY_DYNAMIC_DISPATCH(inner_block)();
    for (std::int64_t k = 0; k < inner; k += most) {
      const std::int64_t block = std::min(most, inner - k);
      const StridedMatrix part = right.part(k, std::clamp<std::int64_t>(right.rows - k, 0, block), 0, right.cols);
      const StridedMatrix source = part.type == DType::f16 ? as_floats(part, workspace) : part;
      HWY_DYNAMIC_DISPATCH(pack_block)(source, block, static_cast<float*>(packed) + k * tile_stride(right.cols));
    }
  }
  std::int64_t row_quantum() const override { return 1; }
  std::int64_t tile_stride(std::int64_t cols) const override {
    const std::int64_t width = HWY_DYNAMIC_DISPATCH(tile_width)();
    return (cols + width - 1) / width * width;
  }
  void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, bool accumulate, Workspace&) const override {
    HWY_DYNAMIC_DISPATCH(multiply_tile)
    (static_cast<const float*>(left.values), rows, inner, cols, static_cast<const float*>(packed), tile, accumulate);
  }
};

}  // namespace

std::unique_ptr<TileKernel> make_simd_tiles() { return std::make_unique<SimdTiles>(); }

}  // namespace sgpt::cpu
#endif
