// What our kernels in AVX-512 intrinsics share: panels of 32-bit words, each holding neighbours in k of one column.
// (Intrinsics, because Debian 12's Highway does not know the instructions for products of small numbers; functions that
// use them are compiled for them one by one, and called after asking the processor.)
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
// GCC's own header begins some intrinsics with a vector that is undefined on purpose (its bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <algorithm>
#include <cstdint>

namespace sgpt::cpu {

// A panel: [words of k][kPanelCols]. Accumulators for six rows of four vectors fill most of 32 registers.
constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kPanelVectors = 4;
constexpr std::int64_t kPanelCols = kPanelVectors * kLanes;
constexpr std::int64_t kKernelRows = 6;

using Floats = __m512;
using Words = __m512i;  // of 16 columns, or 16 neighbours in k

inline std::int64_t vectors_of(std::int64_t cols) { return (cols + kLanes - 1) / kLanes; }

/// rows[i][j] becomes rows[j][i].
[[gnu::target("avx512f")]] inline void transpose(Words (&rows)[kLanes]) {
  Words t[kLanes];
  for (int i = 0; i < 16; i += 2) {  // 2 × 2 lanes
    t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {  // 4 × 4
    rows[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int half = 0; half < 16; half += 8) {  // 8 × 8, of quarters of a vector
    for (int i = half; i < half + 4; ++i) {
      t[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
      t[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
    }
  }
  for (int i = 0; i < 8; ++i) {
    rows[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
  }
}

}  // namespace sgpt::cpu
