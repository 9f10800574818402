// Products of small matrices out of registers: C[rows,n] (+)= A[rows,K] B[K,n], B lying in panels of a few vectors'
// width. Every element of C is one chain of fused multiply-adds in the order of K, wherever it lies: that is why a row
// has the same bits whatever the other rows are. (The scheme of Goto and van de Geijn, "Anatomy of High-Performance
// Matrix Multiplication", 2008.)
#if defined(SGPT_CPU_MICRO_KERNEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SGPT_CPU_MICRO_KERNEL_INL_H
#undef SGPT_CPU_MICRO_KERNEL_INL_H
#else
#define SGPT_CPU_MICRO_KERNEL_INL_H
#endif

#include "backend/cpu/panels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

// With panels of four vectors the accumulators of six rows fill most of 32 registers, with two most of 16.
constexpr int kKernelRows = 6;

/// The left side: element (row, k) lies at data[row * row_stride + k * k_stride].
struct Left {
  const float* data;
  std::int64_t row_stride;
  std::int64_t k_stride;
};

template <int kRows, int kVectors>
HWY_INLINE void micro_kernel(Left a, const float* HWY_RESTRICT panel, std::int64_t inner, float* HWY_RESTRICT c,
                             std::int64_t c_stride, bool accumulate) {
  const F f;
  const std::int64_t n = lanes(), width = panel_width();
  Floats sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = accumulate ? hn::LoadU(f, c + r * c_stride + v * n) : hn::Zero(f);
    }
  }
  for (std::int64_t k = 0; k < inner; ++k) {
    Floats b[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) b[v] = hn::LoadU(f, panel + k * width + v * n);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Floats left = hn::Set(f, a.data[r * a.row_stride + k * a.k_stride]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(left, b[v], sums[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], f, c + r * c_stride + v * n);
  }
}

template <int kVectors>
HWY_INLINE void rows_of_panel(std::int64_t rows, Left a, const float* panel, std::int64_t inner, float* c,
                              std::int64_t c_stride, bool accumulate) {
  switch (rows) {
    case 1: return micro_kernel<1, kVectors>(a, panel, inner, c, c_stride, accumulate);
    case 2: return micro_kernel<2, kVectors>(a, panel, inner, c, c_stride, accumulate);
    case 3: return micro_kernel<3, kVectors>(a, panel, inner, c, c_stride, accumulate);
    case 4: return micro_kernel<4, kVectors>(a, panel, inner, c, c_stride, accumulate);
    case 5: return micro_kernel<5, kVectors>(a, panel, inner, c, c_stride, accumulate);
    default: return micro_kernel<6, kVectors>(a, panel, inner, c, c_stride, accumulate);
  }
}

/// One panel times up to kKernelRows rows; `cols` columns of the panel are wanted, rounded up to vectors.
static HWY_NOINLINE void panel_times_rows(std::int64_t rows, std::int64_t cols, Left a, const float* panel,
                                          std::int64_t inner, float* c, std::int64_t c_stride, bool accumulate) {
  const std::int64_t vectors = (cols + lanes() - 1) / lanes();
  if constexpr (kPanelVectors == 4) {
    if (vectors >= 4) return rows_of_panel<4>(rows, a, panel, inner, c, c_stride, accumulate);
    if (vectors == 3) return rows_of_panel<3>(rows, a, panel, inner, c, c_stride, accumulate);
  }
  if (vectors >= 2) return rows_of_panel<2>(rows, a, panel, inner, c, c_stride, accumulate);
  return rows_of_panel<1>(rows, a, panel, inner, c, c_stride, accumulate);
}

/// C[rows,n] (+)= A[rows,inner] B; c_stride is at least n rounded up to vectors, and so many columns are written.
HWY_INLINE void multiply_panels(std::int64_t rows, std::int64_t n, std::int64_t inner, Left a, const float* panels,
                                float* c, std::int64_t c_stride, bool accumulate) {
  for (std::int64_t first = 0; first < n; first += panel_width()) {
    for (std::int64_t r = 0; r < rows; r += kKernelRows) {
      const Left group{a.data + r * a.row_stride, a.row_stride, a.k_stride};
      panel_times_rows(HWY_MIN(kKernelRows, rows - r), n - first, group, panels + first * inner, inner,
                       c + r * c_stride + first, c_stride, accumulate);
    }
  }
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
