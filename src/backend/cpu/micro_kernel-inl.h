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

#include "backend/cpu/simd-inl.h"
#include "tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

// Accumulators for six rows of four vectors fill most of 32 registers, of two vectors most of 16.
constexpr int kKernelRows = 6;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kPanelVectors = 4;
#else
constexpr int kPanelVectors = 2;
#endif

HWY_INLINE std::int64_t panel_width() { return kPanelVectors * lanes(); }
HWY_INLINE std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

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

/// Floats that pack_panels writes.
HWY_INLINE std::int64_t panels_size(std::int64_t inner, std::int64_t n) { return inner * round_up(n, panel_width()); }

/// An element of a bfloat16 matrix that is converted on its way into a panel.
struct Bf16 {
  std::uint16_t bits;
};

HWY_INLINE float to_float(float x) { return x; }
HWY_INLINE float to_float(Bf16 x) { return float_from_bf16(x.bits); }

#if HWY_TARGET != HWY_SCALAR
using Four = hn::Full128<float>;
using FourBits = hn::Full128<std::uint32_t>;

/// Transposes four rows of four 32-bit lanes, and gives each resulting row to use(row number, lanes).
template <class V, class Use>
HWY_INLINE void transpose_four(V v0, V v1, V v2, V v3, Use use) {
  const hn::DFromV<V> four;
  const hn::RepartitionToWide<decltype(four)> two;
  const auto halves = [&](auto v) { return hn::BitCast(two, v); };
  const auto low01 = halves(hn::InterleaveLower(four, v0, v1)), high01 = halves(hn::InterleaveUpper(four, v0, v1));
  const auto low23 = halves(hn::InterleaveLower(four, v2, v3)), high23 = halves(hn::InterleaveUpper(four, v2, v3));
  use(0, hn::BitCast(four, hn::InterleaveLower(two, low01, low23)));
  use(1, hn::BitCast(four, hn::InterleaveUpper(two, low01, low23)));
  use(2, hn::BitCast(four, hn::InterleaveLower(two, high01, high23)));
  use(3, hn::BitCast(four, hn::InterleaveUpper(two, high01, high23)));
}

/// to[i * width + j] = from[i + j * stride] for four i and four j.
HWY_INLINE void transpose_piece(const float* from, std::int64_t stride, std::int64_t width, float* to) {
  const Four four;
  const auto row = [&](std::int64_t j) { return hn::LoadU(four, from + j * stride); };
  transpose_four(row(0), row(1), row(2), row(3), [&](std::int64_t i, auto v) { hn::StoreU(v, four, to + i * width); });
}
HWY_INLINE std::int64_t piece_length(float) { return 4; }

/// The same for eight i: a 32-bit lane holds two neighbours, the first in its lower half.
HWY_INLINE void transpose_piece(const Bf16* from, std::int64_t stride, std::int64_t width, float* to) {
  const FourBits four;
  const auto row = [&](std::int64_t j) {
    return hn::BitCast(four, hn::LoadU(hn::Full128<std::uint16_t>(), &from[j * stride].bits));
  };
  transpose_four(row(0), row(1), row(2), row(3), [&](std::int64_t i, auto v) {
    hn::StoreU(hn::BitCast(Four(), hn::ShiftLeft<16>(v)), Four(), to + 2 * i * width);
    hn::StoreU(hn::BitCast(Four(), hn::And(v, hn::Set(four, 0xffff0000u))), Four(), to + (2 * i + 1) * width);
  });
}
HWY_INLINE std::int64_t piece_length(Bf16) { return 8; }
#endif

/// panel[k * width + j] = from[k + j * stride] for k in [0, inner) and j in [0, cols).
template <class T>
HWY_INLINE void transpose_into_panel(const T* HWY_RESTRICT from, std::int64_t stride, std::int64_t inner,
                                     std::int64_t cols, std::int64_t width, float* HWY_RESTRICT panel) {
  std::int64_t j = 0;
#if HWY_TARGET != HWY_SCALAR
  const std::int64_t length = piece_length(T());
  for (; j + 4 <= cols; j += 4) {
    const T* columns = from + j * stride;
    std::int64_t k = 0;
    for (; k + length <= inner; k += length) transpose_piece(columns + k, stride, width, panel + k * width + j);
    for (; k < inner; ++k) {
      for (std::int64_t i = 0; i < 4; ++i) panel[k * width + j + i] = to_float(columns[k + i * stride]);
    }
  }
#endif
  for (; j < cols; ++j) {
    for (std::int64_t k = 0; k < inner; ++k) panel[k * width + j] = to_float(from[k + j * stride]);
  }
}

/// `left` floats, at most a vector; zeros in the lanes past them.
HWY_INLINE Floats load(const Bf16* p, std::int64_t left) {
  if (HWY_LIKELY(left >= lanes())) {
    const hn::RebindToUnsigned<F> u32;
    const hn::Rebind<std::uint16_t, F> u16;
    return hn::BitCast(F(), hn::ShiftLeft<16>(hn::PromoteTo(u32, hn::LoadU(u16, &p->bits))));
  }
  HWY_ALIGN float tail[hn::MaxLanes(F())] = {};
  for (std::int64_t i = 0; i < left; ++i) tail[i] = to_float(p[i]);
  return hn::Load(F(), tail);
}

// So many k at a time that the lines of a panel stay in the first cache while its columns are filled in.
constexpr std::int64_t kTransposedAtOnce = 64;

/// Lays B[inner,n], element (k, j) at data[k * k_stride + j * j_stride], into panels: [n / width][inner][width]. One of
/// the strides is 1. Past n there are zeros up to a whole vector, and nothing past that.
template <class T>
HWY_INLINE void pack_panels(const T* data, std::int64_t k_stride, std::int64_t j_stride, std::int64_t inner,
                            std::int64_t n, float* HWY_RESTRICT panels) {
  const std::int64_t width = panel_width();
  for (std::int64_t first = 0; first < n; first += width) {
    const std::int64_t cols = HWY_MIN(width, n - first);
    float* HWY_RESTRICT panel = panels + first * inner;
    if (j_stride == 1) {
      for (std::int64_t k = 0; k < inner; ++k) {
        const T* from = data + k * k_stride + first;
        for (std::int64_t j = 0; j < cols; j += lanes())
          store(load(from + j, cols - j), panel + k * width + j, lanes());
      }
      continue;
    }
    if (cols % lanes() != 0) {
      const std::int64_t last = cols / lanes() * lanes();
      for (std::int64_t k = 0; k < inner; ++k) hn::StoreU(hn::Zero(F()), F(), panel + k * width + last);
    }
    for (std::int64_t k = 0; k < inner; k += kTransposedAtOnce) {
      transpose_into_panel(data + first * j_stride + k, j_stride, HWY_MIN(kTransposedAtOnce, inner - k), cols, width,
                           panel + k * width);
    }
  }
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
