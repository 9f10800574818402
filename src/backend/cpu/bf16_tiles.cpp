// Tiles in bf16 by our own micro-kernel, for x86 processors with AVX-512's dot product of bf16 pairs: both sides are
// rounded to bf16, sums are f32. Packing is quick enough to be done for every product, out of a matrix of any type and
// in either direction, so that a weight stays where it lies.
#include "backend/cpu/tile_kernel.h"

#if defined(__x86_64__)

#include "backend/cpu/avx512.h"
#include "backend/cpu/processor.h"
#include "backend/cpu/vector_ops.h"
#include "tensor/dtype.h"

namespace sgpt::cpu {
namespace {

// So many k at a time that a panel's piece stays in the first cache while the rows pass by; even, so that pairs are
// whole.
constexpr std::int64_t kInnerBlock = 128;

using Pairs = Words;  // of bf16

/// An element of a matrix of halves.
struct F16 {
  std::uint16_t bits;
};
struct Bf16 {
  std::uint16_t bits;
};

std::int64_t panel_cols(std::int64_t cols) { return vectors_of(cols) * kLanes; }

std::uint32_t first_lanes(std::int64_t count) {
  return static_cast<std::uint32_t>((std::uint64_t{1} << std::clamp<std::int64_t>(count, 0, 32)) - 1);
}

// --- loading as bf16: the first `count` values, zeros after them ----------------------------------------------------

[[gnu::target("avx512bf16,avx512vl")]] inline __m256i rounded(Floats x) {
  return __builtin_bit_cast(__m256i, _mm512_cvtneps_pbh(x));
}

[[gnu::target("avx512bf16,avx512vl")]] inline __m256i load_16(const float* p, std::int64_t count) {
  return rounded(_mm512_maskz_loadu_ps(static_cast<__mmask16>(first_lanes(count)), p));
}
[[gnu::target("avx512bf16,avx512vl")]] inline __m256i load_16(const F16* p, std::int64_t count) {
  return rounded(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(static_cast<__mmask16>(first_lanes(count)), p)));
}
[[gnu::target("avx512bf16,avx512vl")]] inline __m256i load_16(const Bf16* p, std::int64_t count) {
  return _mm256_maskz_loadu_epi16(static_cast<__mmask16>(first_lanes(count)), p);
}

template <class T>
[[gnu::target("avx512bf16,avx512vl")]] inline Pairs load_32(const T* p, std::int64_t count) {
  const __m256i low = load_16(p, count);
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), load_16(p + kLanes, count - kLanes), 1);
}
template <>
[[gnu::target("avx512bf16,avx512vl")]] inline Pairs load_32(const Bf16* p, std::int64_t count) {
  return _mm512_maskz_loadu_epi16(first_lanes(count), p);
}

// --- packing --------------------------------------------------------------------------------------------------------

/// One panel out of columns that are dense in k: column j begins at from[j * stride].
template <class T>
[[gnu::target("avx512bf16,avx512vl")]] void pack_columns(const T* from, std::int64_t stride, std::int64_t present,
                                                         std::int64_t inner, std::int64_t cols, Pairs* panel) {
  for (std::int64_t v = 0; v < vectors_of(cols); ++v) {
    const T* first = from + v * kLanes * stride;
    const std::int64_t wide = std::min(kLanes, cols - v * kLanes);
    for (std::int64_t k = 0; k < inner; k += 2 * kLanes) {
      Pairs words[kLanes];
      for (std::int64_t j = 0; j < kLanes; ++j) {
        words[j] = j < wide ? load_32(first + j * stride + k, present - k) : _mm512_setzero_si512();
      }
      transpose(words);
      const std::int64_t pairs = std::min(kLanes, (inner - k) / 2);
      for (std::int64_t i = 0; i < pairs; ++i) panel[(k / 2 + i) * kPanelVectors + v] = words[i];
    }
  }
}

/// One panel out of rows that are dense in the columns: row k begins at from[k * stride].
template <class T>
[[gnu::target("avx512bf16,avx512vl")]] void pack_rows(const T* from, std::int64_t stride, std::int64_t present,
                                                      std::int64_t inner, std::int64_t cols, Pairs* panel) {
  for (std::int64_t k = 0; k < inner; k += 2) {
    for (std::int64_t v = 0; v < vectors_of(cols); ++v) {
      const std::int64_t j = v * kLanes, wide = cols - j;
      const __m256i none = _mm256_setzero_si256();
      const __m256i even = k < present ? load_16(from + k * stride + j, wide) : none;
      const __m256i odd = k + 1 < present ? load_16(from + (k + 1) * stride + j, wide) : none;
      panel[k / 2 * kPanelVectors + v] =
          _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
    }
  }
}

template <class T>
void pack_panels(const StridedMatrix& right, std::int64_t inner, Pairs* panels) {
  const auto* data = static_cast<const T*>(right.data);
  for (std::int64_t j = 0; j < right.cols; j += kPanelCols) {
    const std::int64_t cols = std::min(kPanelCols, right.cols - j);
    Pairs* panel = panels + j / kLanes * (inner / 2);
    if (right.col_stride == 1) {
      pack_rows(data + j, right.row_stride, right.rows, inner, cols, panel);
    } else {
      pack_columns(data + j * right.col_stride, right.col_stride, right.rows, inner, cols, panel);
    }
  }
}

// --- multiplying ----------------------------------------------------------------------------------------------------

/// c[kRows, kVectors · 16] (+)= left[kRows, inner] · panel; rows of the left side lie `inner` values apart.
template <int kRows, int kVectors>
[[gnu::target("avx512bf16,avx512vl")]] void micro_kernel(const Bf16* left, const Pairs* panel, std::int64_t inner,
                                                         float* c, std::int64_t c_stride, bool accumulate) {
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

using MicroKernel = void (*)(const Bf16*, const Pairs*, std::int64_t, float*, std::int64_t, bool);

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
  bool supports(std::int64_t, std::int64_t) const override { return true; }
  std::int64_t inner_block() const override { return kInnerBlock; }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    const std::int64_t last = cols % kPanelCols;  // a panel that is not full keeps the others' stride
    return static_cast<std::size_t>(inner * (cols - last + (last > 0 ? kPanelCols : 0))) * sizeof(Bf16);
  }
  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace&) const override {
    auto* panels = static_cast<Pairs*>(packed);
    switch (right.type) {
      case DType::f16: return pack_panels<F16>(right, inner, panels);
      case DType::bf16: return pack_panels<Bf16>(right, inner, panels);
      default: return pack_panels<float>(right, inner, panels);
    }
  }

  std::int64_t row_quantum() const override { return 1; }
  std::int64_t tile_stride(std::int64_t cols) const override { return panel_cols(cols); }

  bool converts_left() const override { return true; }
  std::size_t left_value_bytes() const override { return sizeof(Bf16); }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void*,
                   RowRange&) const override {
    round_to_bf16(row, count, inner, static_cast<std::uint16_t*>(values));
  }

  void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, bool accumulate, Workspace&) const override {
    const auto* values = static_cast<const Bf16*>(left.values);
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
