// What the attention's forward and backward pass share: blocks of query rows against the keys that they see.
#if defined(SGPT_CPU_ATTENTION_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SGPT_CPU_ATTENTION_ROWS_INL_H
#undef SGPT_CPU_ATTENTION_ROWS_INL_H
#else
#define SGPT_CPU_ATTENTION_ROWS_INL_H
#endif

#include "backend/cpu/exp-inl.h"
#include "backend/cpu/micro_kernel-inl.h"
#include "backend/cpu/vector_ops.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

/// dense[rows, cols] = rows that lie `stride` floats apart.
HWY_INLINE void copy_rows(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t cols, float* dense) {
  for (std::int64_t r = 0; r < rows; ++r) {
    std::memcpy(dense + r * cols, from + r * stride, static_cast<std::size_t>(cols) * sizeof(float));
  }
}

/// The first key that a block of query rows is multiplied with: where the panel begins that holds the first one that
/// its first row sees.
HWY_INLINE std::int64_t block_begin(const AttentionHead& head, std::int64_t first_row) {
  return head.first_key(first_row) / panel_width() * panel_width();
}

/// scores[rows, keys] = queries · panels for the rows from `first_row` of a text on and the keys from `begin`, where a
/// panel begins; what lies wholly past the keys that rows see is left undefined.
HWY_INLINE void multiply_seen(const AttentionHead& head, std::int64_t begin, std::int64_t first_row, std::int64_t rows,
                              const float* queries, const float* panels, float* scores, std::int64_t stride) {
  const std::int64_t dim = head.dim, end = head.end_key(first_row + rows - 1);
  for (std::int64_t first = begin; first < end; first += panel_width()) {
    for (std::int64_t r = 0; r < rows; r += kKernelRows) {
      const std::int64_t group = HWY_MIN(kKernelRows, rows - r), keys = head.end_key(first_row + r + group - 1);
      if (keys <= first) continue;
      panel_times_rows(group, keys - first, {queries + r * dim, dim, 1}, panels + first * dim, dim,
                       scores + r * stride + first, stride, false);
    }
  }
}

/// out[rows, dim] = weights[rows, keys] · panels, each row over the keys from `begin` up to the last that it sees
/// (weights of those that it does not see being zero).
HWY_INLINE void multiply_weights(const AttentionHead& head, std::int64_t begin, std::int64_t first_row,
                                 std::int64_t rows, const float* weights, std::int64_t stride, const float* panels,
                                 float* out, std::int64_t out_stride) {
  for (std::int64_t first = 0; first < head.dim; first += panel_width()) {
    for (std::int64_t r = 0; r < rows; r += kKernelRows) {
      const std::int64_t group = HWY_MIN(kKernelRows, rows - r);
      panel_times_rows(group, head.dim - first, {weights + r * stride + begin, stride, 1},
                       panels + first * head.length + begin * panel_width(),
                       head.end_key(first_row + r + group - 1) - begin, out + r * out_stride + first, out_stride,
                       false);
    }
  }
}

/// A row of scores is as wide as the keys in whole panels; one line more keeps rows apart in the cache's sets.
HWY_INLINE std::int64_t score_stride(std::int64_t length) { return round_up(length, panel_width()) + 16; }

/// dot · scale + slope · (j − i) for the keys j, j + 1, … of query i.
HWY_INLINE Floats biased(Floats dot, const AttentionHead& head, std::int64_t i, std::int64_t j) {
  const Floats distance = hn::Iota(F(), static_cast<float>(j - i));
  return hn::MulAdd(dot, broadcast(head.scale), hn::Mul(distance, broadcast(head.slope)));
}

/// Zeros row[from, to) and up to a vector more.
HWY_INLINE void zero_from(float* row, std::int64_t from, std::int64_t to) {
  for (; from < to; from += lanes()) hn::StoreU(hn::Zero(F()), F(), row + from);
}

/// Zeros row[from, to) and nothing more.
HWY_INLINE void zero_between(float* row, std::int64_t from, std::int64_t to) {
  if (from < to) std::memset(row + from, 0, static_cast<std::size_t>(to - from) * sizeof(float));
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
