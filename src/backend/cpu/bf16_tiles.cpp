// Tiles in bf16 by our own micro-kernel, for x86 processors with AVX-512's dot product of bf16 pairs: both sides are
// rounded to bf16, sums are f32. Packing is quick enough to be done for every product, out of a matrix of any type and
// in either direction, so that a weight stays where it lies.
#include "backend/cpu/tile_kernel.h"

#if defined(__x86_64__)

#include "backend/cpu/avx512.h"
#include "backend/cpu/bf16_packing.h"
#include "backend/cpu/processor.h"
#include "backend/cpu/vector_ops.h"
#include "tensor/dtype.h"

namespace sgpt::cpu {
namespace {

// So many k at a time that a panel's piece stays in the first cache while the rows pass by; even, so that pairs are
// whole.
constexpr std::int64_t kInnerBlock = 128;

using Pairs = Words;  // of bf16

/// c[kRows, kVectors · 16] (+)= left[kRows, inner] · panel; rows of the left side lie `inner` values apart.
template <int kRows, int kVectors>
[[gnu::target("avx512bf16,avx512vl")]] void micro_kernel(const std::uint16_t* left, const Pairs* panel,
                                                         std::int64_t inner, float* c, std::int64_t c_stride,
                                                         bool accumulate) {
  Floats sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = accumulate ? _mm512_loadu_ps(c + r * c_stride + v * kLanes) : _mm512_setzero_ps();
    }
  }
  for (std::int64_t k = 0; k < inner; k += 2, panel += kPanelVectors) {
    __m512bh b[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) b[v] = __builtin_bit_cast(__m512bh, panel[v]);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      int pair;
      __builtin_memcpy(&pair, left + r * inner + k, sizeof(pair));
      const auto a = __builtin_bit_cast(__m512bh, _mm512_set1_epi32(pair));
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], a, b[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(c + r * c_stride + v * kLanes, sums[r][v]);
  }
}

using MicroKernel = void (*)(const std::uint16_t*, const Pairs*, std::int64_t, float*, std::int64_t, bool);

/// By rows − 1, vectors − 1.
constexpr MicroKernel kMicroKernels[kKernelRows][kPanelVectors] = {
    {micro_kernel<1, 1>, micro_kernel<1, 2>, micro_kernel<1, 3>, micro_kernel<1, 4>},
    {micro_kernel<2, 1>, micro_kernel<2, 2>, micro_kernel<2, 3>, micro_kernel<2, 4>},
    {micro_kernel<3, 1>, micro_kernel<3, 2>, micro_kernel<3, 3>, micro_kernel<3, 4>},
    {micro_kernel<4, 1>, micro_kernel<4, 2>, micro_kernel<4, 3>, micro_kernel<4, 4>},
    {micro_kernel<5, 1>, micro_kernel<5, 2>, micro_kernel<5, 3>, micro_kernel<5, 4>},
    {micro_kernel<6, 1>, micro_kernel<6, 2>, micro_kernel<6, 3>, micro_kernel<6, 4>}};

/// Every element of the product is one chain of pairs in the order of k, wherever it lies: that is why a row has the
/// same bits whatever the other rows are.
class Bf16Tiles final : public TileKernel {
 public:
  std::string_view name() const override { return "own avx512_bf16"; }
  std::int64_t inner_block() const override { return kInnerBlock; }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    // A panel that is not full keeps the others' stride.
    return static_cast<std::size_t>(inner * ((cols + kPanelCols - 1) / kPanelCols * kPanelCols)) * size_of(DType::bf16);
  }
  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace&) const override {
    pack_bf16(right, inner, {.pair_step = kPanelVectors, .vector_step = 1}, packed);
  }

  std::int64_t row_quantum() const override { return 1; }
  std::int64_t tile_stride(std::int64_t cols) const override { return vectors_of(cols) * kLanes; }

  bool converts_left() const override { return true; }
  std::size_t left_value_bytes() const override { return size_of(DType::bf16); }
  DType left_type() const override { return DType::bf16; }
  void convert_rows(const SourceRows& from, std::int64_t inner, void* values, void*, RowRange*) const override {
    const std::int64_t count = from.rows > 0 ? from.cols : 0;
    auto* to = static_cast<std::uint16_t*>(values);
    if (from.type == DType::f32) return round_to_bf16(static_cast<const float*>(from.data), count, inner, to);
    std::copy_n(static_cast<const std::uint16_t*>(from.data), count, to);
    std::fill(to + count, to + inner, std::uint16_t{0});
  }

  void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, bool accumulate, Workspace&) const override {
    const auto* values = static_cast<const std::uint16_t*>(left.values);
    const auto* panels = static_cast<const Pairs*>(packed);
    const std::int64_t stride = tile_stride(cols);
    for (std::int64_t j = 0; j < cols; j += kPanelCols) {
      const std::int64_t vectors = std::min(kPanelVectors, vectors_of(cols - j));
      for (std::int64_t row = 0; row < rows; row += kKernelRows) {
        const std::int64_t count = std::min(kKernelRows, rows - row);
        kMicroKernels[count - 1][vectors - 1](values + row * inner, panels + j / kLanes * (inner / 2), inner,
                                              tile + row * stride + j, stride, accumulate);
      }
    }
  }
};

}  // namespace

std::unique_ptr<TileKernel> make_bf16_tiles() { return processor().bf16 ? std::make_unique<Bf16Tiles>() : nullptr; }

}  // namespace sgpt::cpu

#else

namespace sgpt::cpu {

std::unique_ptr<TileKernel> make_bf16_tiles() { return nullptr; }

}  // namespace sgpt::cpu

#endif
