// Products of bytes by our own micro-kernel, for x86 processors with AVX-512's dot product of four bytes (VNNI). The
// sums of a block never leave the registers: what they stand for goes straight into the tile.
#include "backend/cpu/int8_product.h"

#if defined(__x86_64__)

#include "backend/cpu/avx512.h"
#include "backend/cpu/processor.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {
namespace {

constexpr std::int64_t kWordBytes = 4;  // neighbours in k that one instruction sums up

// The type that the instruction itself has: with Words, GCC 12 moves every sum to and fro in the innermost loop.
using Sums [[gnu::vector_size(64)]] = std::int32_t;

/// tile[kRows, kVectors · 16] (+)= what left · panel stands for; rows of the left side lie `inner` bytes apart.
template <int kRows, int kVectors>
[[gnu::target("avx512vnni,avx512bw,avx512vl")]] void micro_kernel(const std::uint8_t* left, const RowRange* ranges,
                                                                  const Words* panel, const float* scales,
                                                                  const float* column_sums, std::int64_t inner,
                                                                  float* tile, std::int64_t stride, bool accumulate) {
  Sums sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[r][v] = Sums{};
  }
  for (std::int64_t k = 0; k < inner; k += kWordBytes, panel += kPanelVectors) {
    Words right[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) right[v] = panel[v];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      int word;
      __builtin_memcpy(&word, left + r * inner + k, sizeof(word));
      const Words bytes = _mm512_set1_epi32(word);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = Sums(_mm512_dpbusd_epi32(Words(sums[r][v]), bytes, right[v]));
      }
    }
  }
  // As add_quantized does it: step · scale · Σqw + (lowest · scale · Σw + what was there).
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    const Floats scale = _mm512_loadu_ps(scales + v * kLanes), column_sum = _mm512_loadu_ps(column_sums + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      float* to = tile + r * stride + v * kLanes;
      const Floats before = accumulate ? _mm512_loadu_ps(to) : _mm512_setzero_ps();
      const Floats offset = _mm512_fmadd_ps(_mm512_set1_ps(ranges[r].lowest), column_sum, before);
      const Floats step = _mm512_mul_ps(_mm512_set1_ps(ranges[r].step), scale);
      _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(Words(sums[r][v])), step, offset));
    }
  }
}

using MicroKernel = void (*)(const std::uint8_t*, const RowRange*, const Words*, const float*, const float*,
                             std::int64_t, float*, std::int64_t, bool);

/// By rows − 1, vectors − 1.
constexpr MicroKernel kMicroKernels[kKernelRows][kPanelVectors] = {
    {micro_kernel<1, 1>, micro_kernel<1, 2>, micro_kernel<1, 3>, micro_kernel<1, 4>},
    {micro_kernel<2, 1>, micro_kernel<2, 2>, micro_kernel<2, 3>, micro_kernel<2, 4>},
    {micro_kernel<3, 1>, micro_kernel<3, 2>, micro_kernel<3, 3>, micro_kernel<3, 4>},
    {micro_kernel<4, 1>, micro_kernel<4, 2>, micro_kernel<4, 3>, micro_kernel<4, 4>},
    {micro_kernel<5, 1>, micro_kernel<5, 2>, micro_kernel<5, 3>, micro_kernel<5, 4>},
    {micro_kernel<6, 1>, micro_kernel<6, 2>, micro_kernel<6, 3>, micro_kernel<6, 4>}};

/// One panel, [inner / 4][kPanelVectors] vectors of words, out of up to kPanelCols columns of `inner` bytes.
[[gnu::target("avx512bw")]] void pack_panel(const std::int8_t* columns, std::int64_t inner, std::int64_t cols,
                                            Words* panel) {
  constexpr std::int64_t kVectorBytes = kLanes * kWordBytes;
  for (std::int64_t v = 0; v < vectors_of(cols); ++v) {
    for (std::int64_t k = 0; k < inner; k += kVectorBytes) {
      Words words[kLanes];
      for (std::int64_t j = 0; j < kLanes; ++j) {
        const std::int64_t col = v * kLanes + j;
        words[j] = col < cols ? _mm512_loadu_si512(columns + col * inner + k) : _mm512_setzero_si512();
      }
      transpose(words);
      for (std::int64_t i = 0; i < kLanes; ++i) panel[(k / kWordBytes + i) * kPanelVectors + v] = words[i];
    }
  }
}

class VnniInt8Product final : public Int8Product {
 public:
  std::int64_t stride(std::int64_t cols) const override { return vectors_of(cols) * kLanes; }

  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return static_cast<std::size_t>(inner * ((cols + kPanelCols - 1) / kPanelCols * kPanelCols));
  }
  void pack(const std::int8_t* columns, std::int64_t inner, std::int64_t cols, void* packed,
            Workspace&) const override {
    for (std::int64_t j = 0; j < cols; j += kPanelCols) {
      Words* panel = static_cast<Words*>(packed) + j / kLanes * (inner / kWordBytes);
      pack_panel(columns + j * inner, inner, std::min(kPanelCols, cols - j), panel);
    }
  }

  std::size_t left_value_bytes() const override { return 1; }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void* fine,
                   RowRange& range) const override {
    quantize_row(row, count, inner, static_cast<std::uint8_t*>(values), static_cast<std::uint8_t*>(fine), range);
  }

  void multiply(const Int8Rows& rows, const Int8Columns& columns, bool accumulate, float* tile,
                Workspace&) const override {
    const auto* values = static_cast<const std::uint8_t*>(rows.values);
    const std::int64_t inner = columns.inner, tile_stride = stride(columns.cols);
    for (std::int64_t j = 0; j < columns.cols; j += kPanelCols) {
      const Words* panel = static_cast<const Words*>(columns.packed) + j / kLanes * (inner / kWordBytes);
      const std::int64_t vectors = std::min(kPanelVectors, vectors_of(columns.cols - j));
      for (std::int64_t row = 0; row < rows.count; row += kKernelRows) {
        const std::int64_t count = std::min(kKernelRows, rows.count - row);
        kMicroKernels[count - 1][vectors - 1](values + row * inner, rows.ranges + row, panel, columns.scales + j,
                                              columns.sums + j, inner, tile + row * tile_stride + j, tile_stride,
                                              accumulate);
      }
    }
  }
};

}  // namespace

std::unique_ptr<Int8Product> make_vnni_int8_product() {
  return processor().vnni ? std::make_unique<VnniInt8Product>() : nullptr;
}

}  // namespace sgpt::cpu

#else

namespace sgpt::cpu {

std::unique_ptr<Int8Product> make_vnni_int8_product() { return nullptr; }

}  // namespace sgpt::cpu

#endif
