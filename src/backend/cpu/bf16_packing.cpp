// Weights of any type as pairs of bf16, for x86 processors with AVX-512's conversions.
#include "backend/cpu/bf16_packing.h"

#if defined(__x86_64__)

#include "backend/cpu/avx512.h"
#include "tensor/dtype.h"

namespace sgpt::cpu {
namespace {

using Pairs = Words;  // of bf16

/// An element of a matrix of halves.
struct F16 {
  std::uint16_t bits;
};
struct Bf16 {
  std::uint16_t bits;
};

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

/// One panel out of columns that are dense in k: column j begins at from[j * stride].
template <class T>
[[gnu::target("avx512bf16,avx512vl")]] void pack_columns(const T* from, std::int64_t stride, std::int64_t present,
                                                         std::int64_t inner, std::int64_t cols,
                                                         const PairLayout& layout, Pairs* panel) {
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
      for (std::int64_t i = 0; i < pairs; ++i)
        panel[(k / 2 + i) * layout.pair_step + v * layout.vector_step] = words[i];
    }
  }
}

/// One panel out of rows that are dense in the columns: row k begins at from[k * stride].
template <class T>
[[gnu::target("avx512bf16,avx512vl")]] void pack_rows(const T* from, std::int64_t stride, std::int64_t present,
                                                      std::int64_t inner, std::int64_t cols, const PairLayout& layout,
                                                      Pairs* panel) {
  for (std::int64_t k = 0; k < inner; k += 2) {
    for (std::int64_t v = 0; v < vectors_of(cols); ++v) {
      const std::int64_t j = v * kLanes, wide = cols - j;
      const __m256i none = _mm256_setzero_si256();
      const __m256i even = k < present ? load_16(from + k * stride + j, wide) : none;
      const __m256i odd = k + 1 < present ? load_16(from + (k + 1) * stride + j, wide) : none;
      panel[k / 2 * layout.pair_step + v * layout.vector_step] =
          _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
    }
  }
}

template <class T>
void pack_panels(const StridedMatrix& right, std::int64_t inner, const PairLayout& layout, Pairs* panels) {
  const auto* data = static_cast<const T*>(right.data);
  for (std::int64_t j = 0; j < right.cols; j += kPanelCols) {
    const std::int64_t cols = std::min(kPanelCols, right.cols - j);
    Pairs* panel = panels + j / kLanes * (inner / 2);
    if (right.col_stride == 1) {
      pack_rows(data + j, right.row_stride, right.rows, inner, cols, layout, panel);
    } else {
      pack_columns(data + j * right.col_stride, right.col_stride, right.rows, inner, cols, layout, panel);
    }
  }
}

}  // namespace

void pack_bf16(const StridedMatrix& right, std::int64_t inner, const PairLayout& layout, void* packed) {
  auto* panels = static_cast<Pairs*>(packed);
  switch (right.type) {
    case DType::f16: return pack_panels<F16>(right, inner, layout, panels);
    case DType::bf16: return pack_panels<Bf16>(right, inner, layout, panels);
    default: return pack_panels<float>(right, inner, layout, panels);
  }
}

}  // namespace sgpt::cpu

#endif
