// The right side of a product as the micro-kernel reads it: panels of a few vectors' width, rows of them one after the
// other. A matrix whose columns lie dense is transposed on its way, a vector's worth of columns at a time.
#if defined(SGPT_CPU_PANELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SGPT_CPU_PANELS_INL_H
#undef SGPT_CPU_PANELS_INL_H
#else
#define SGPT_CPU_PANELS_INL_H
#endif

#include "backend/cpu/simd-inl.h"
#include "tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

// As many as the micro-kernel has registers for.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kPanelVectors = 4;
#else
constexpr int kPanelVectors = 2;
#endif

HWY_INLINE std::int64_t panel_width() { return kPanelVectors * lanes(); }
HWY_INLINE std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// Floats that pack_panels writes.
HWY_INLINE std::int64_t panels_size(std::int64_t inner, std::int64_t n) { return inner * round_up(n, panel_width()); }

/// An element of a bfloat16 matrix that is converted on its way into a panel.
struct Bf16 {
  std::uint16_t bits;
};

HWY_INLINE float to_float(float x) { return x; }
HWY_INLINE float to_float(Bf16 x) { return float_from_bf16(x.bits); }

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

#if HWY_TARGET != HWY_SCALAR
/// The 16 bytes at p in every block of 16 bytes.
HWY_INLINE Floats broadcast_block(const float* p) { return hn::LoadDup128(F(), p); }
HWY_INLINE Floats broadcast_block(const Bf16* p) {
  return hn::BitCast(F(), hn::LoadDup128(hn::Repartition<std::uint16_t, F>(), &p->bits));
}

/// 16 bytes of the columns j, j + 4, j + 8, … side by side; column(j) is where those of column j begin. Putting blocks
/// where they belong while they are loaded leaves the shuffles within blocks alone to be done.
template <class Column>
HWY_INLINE Floats load_blocks(std::int64_t j, const Column& column) {
  constexpr std::size_t kBlocks = hn::MaxLanes(F()) / 4;
  Floats blocks = broadcast_block(column(j));
  if constexpr (kBlocks == 2) {
    blocks = hn::OddEvenBlocks(broadcast_block(column(j + 4)), blocks);
  } else {
#pragma GCC unroll 4
    for (std::size_t b = 1; b < kBlocks; ++b) {
      const Floats next = broadcast_block(column(j + 4 * static_cast<std::int64_t>(b)));
      blocks = hn::IfThenElse(hn::FirstN(F(), 4 * b), blocks, next);
    }
  }
  return blocks;
}

/// Transposes the squares of four lanes that lie in the same block of four vectors, and gives each resulting vector to
/// use(its number, lanes).
template <class Use>
HWY_INLINE void transpose_blocks(Floats v0, Floats v1, Floats v2, Floats v3, const Use& use) {
  const F f;
  const hn::RepartitionToWide<F> pairs;
  const auto as_pairs = [&](Floats v) { return hn::BitCast(pairs, v); };
  const auto low01 = as_pairs(hn::InterleaveLower(f, v0, v1)), high01 = as_pairs(hn::InterleaveUpper(f, v0, v1));
  const auto low23 = as_pairs(hn::InterleaveLower(f, v2, v3)), high23 = as_pairs(hn::InterleaveUpper(f, v2, v3));
  use(0, hn::BitCast(f, hn::InterleaveLower(pairs, low01, low23)));
  use(1, hn::BitCast(f, hn::InterleaveUpper(pairs, low01, low23)));
  use(2, hn::BitCast(f, hn::InterleaveLower(pairs, high01, high23)));
  use(3, hn::BitCast(f, hn::InterleaveUpper(pairs, high01, high23)));
}

/// Row k of 16 bytes of each column; use(k, floats).
template <class Use>
HWY_INLINE void rows_of_block(float, std::int64_t i, Floats v, const Use& use) {
  use(i, v);
}
/// A lane holds two neighbours of bfloat16, the first in its lower half.
template <class Use>
HWY_INLINE void rows_of_block(Bf16, std::int64_t i, Floats v, const Use& use) {
  const hn::RebindToUnsigned<F> u32;
  const auto bits = hn::BitCast(u32, v);
  use(2 * i, hn::BitCast(F(), hn::ShiftLeft<16>(bits)));
  use(2 * i + 1, hn::BitCast(F(), hn::And(bits, hn::Set(u32, 0xffff0000u))));
}
#endif

/// to[k * width + j] = from[k + j * stride] for k in [0, inner) and `cols` columns j, a vector's worth at most; zeros
/// in the lanes past them.
template <bool kWhole, class T>
HWY_INLINE void transpose_columns(const T* HWY_RESTRICT from, std::int64_t stride, std::int64_t inner,
                                  std::int64_t cols, std::int64_t width, float* HWY_RESTRICT to) {
  std::int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr std::int64_t kLength = 16 / sizeof(T);
  for (; k + kLength <= inner; k += kLength) {
    // In place of a column that is not there the last one is read, which needs no branch.
    const auto column = [&](std::int64_t j) { return from + (kWhole ? j : HWY_MIN(j, cols - 1)) * stride + k; };
    const auto use = [&](std::int64_t row, Floats v) {
      hn::StoreU(kWhole ? v : first_lanes(v, cols), F(), to + (k + row) * width);
    };
    transpose_blocks(load_blocks(0, column), load_blocks(1, column), load_blocks(2, column), load_blocks(3, column),
                     [&](std::int64_t i, Floats v) { rows_of_block(T(), i, v, use); });
  }
#endif
  for (; k < inner; ++k) {
    HWY_ALIGN float row[hn::MaxLanes(F())] = {};
    for (std::int64_t j = 0; j < cols; ++j) row[j] = to_float(from[k + j * stride]);
    hn::StoreU(hn::Load(F(), row), F(), to + k * width);
  }
}

// So many k at a time: long enough for a column to be read as a stream, while a panel's lines stay in the near caches
// until all columns are filled in.
constexpr std::int64_t kTransposedAtOnce = 256;

/// One panel out of columns that lie dense.
template <class T>
HWY_INLINE void transpose_panel(const T* from, std::int64_t stride, std::int64_t inner, std::int64_t cols,
                                float* HWY_RESTRICT panel) {
  const std::int64_t width = panel_width();
  for (std::int64_t k = 0; k < inner; k += kTransposedAtOnce) {
    const std::int64_t count = HWY_MIN(kTransposedAtOnce, inner - k);
    for (std::int64_t j = 0; j < cols; j += lanes()) {
      const T* columns = from + j * stride + k;
      if (cols - j >= lanes()) {
        transpose_columns<true>(columns, stride, count, lanes(), width, panel + k * width + j);
      } else {
        transpose_columns<false>(columns, stride, count, cols - j, width, panel + k * width + j);
      }
    }
  }
}

/// One panel out of rows that lie dense.
template <class T>
HWY_INLINE void copy_panel(const T* from, std::int64_t stride, std::int64_t inner, std::int64_t cols,
                           float* HWY_RESTRICT panel) {
  const std::int64_t width = panel_width();
  for (std::int64_t k = 0; k < inner; ++k) {
    for (std::int64_t j = 0; j < cols; j += lanes()) {
      hn::StoreU(load(from + k * stride + j, cols - j), F(), panel + k * width + j);
    }
  }
}

/// Lays B[inner,n], element (k, j) at data[k * k_stride + j * j_stride], into panels: [n / width][inner][width]. One of
/// the strides is 1. Past n there are zeros up to a whole vector, and nothing past that.
template <class T>
HWY_INLINE void pack_panels(const T* data, std::int64_t k_stride, std::int64_t j_stride, std::int64_t inner,
                            std::int64_t n, float* HWY_RESTRICT panels) {
  for (std::int64_t first = 0; first < n; first += panel_width()) {
    const std::int64_t cols = HWY_MIN(panel_width(), n - first);
    const T* from = data + first * j_stride;
    if (j_stride == 1) {
      copy_panel(from, k_stride, inner, cols, panels + first * inner);
    } else {
      transpose_panel(from, j_stride, inner, cols, panels + first * inner);
    }
  }
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
