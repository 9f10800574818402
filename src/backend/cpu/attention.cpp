// Attention of one head over one text, a block of query rows at a time: the scores of a block lie in the cache,
// and both products run through the micro-kernel. Texts are short (300 tokens, mostly), so a row of scores is kept
// whole and its softmax is exact; memory is 24 rows of scores a thread however long the text is.
#include "backend/cpu/simd.h"

#include "backend/cpu/vector_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention.cpp"
#include <hwy/foreach_target.h>

#include <cmath>

#include "backend/cpu/attention_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

constexpr std::int64_t kBlockRows = 4 * kKernelRows;
enum Slot : std::size_t { kKeys, kValues, kQueries, kScores, kOut };

/// Turns the scores of query i into exp(score − highest), zeros for the keys from `begin` to `end` that it does not
/// see.
HWY_INLINE Softmax softmax_row(const AttentionHead& head, std::int64_t i, std::int64_t begin, std::int64_t end,
                               float* row) {
  const F f;
  const std::int64_t first = head.first_key(i), keys = head.end_key(i);
  const Floats lowest = broadcast(-1e30f);
  Floats highest = lowest;
  for (std::int64_t j = first; j < keys; j += lanes()) {
    Floats score = biased(hn::LoadU(f, row + j), head, i, j);
    if (keys - j < lanes()) score = hn::IfThenElse(hn::FirstN(f, static_cast<std::size_t>(keys - j)), score, lowest);
    highest = hn::Max(highest, score);
    hn::StoreU(score, f, row + j);
  }
  const float top = hn::GetLane(hn::MaxOfLanes(f, highest));
  Floats sum = hn::Zero(f);
  for (std::int64_t j = first; j < keys; j += lanes()) {
    const Floats p = first_lanes(exp_of(hn::Sub(hn::LoadU(f, row + j), broadcast(top))), keys - j);
    sum = hn::Add(sum, p);
    hn::StoreU(p, f, row + j);
  }
  zero_between(row, begin, first);
  zero_from(row, first + round_up(keys - first, lanes()), end);
  return {top, sum_of(sum)};
}

void softmax_of_rows(const AttentionHead& head, std::int64_t first, std::int64_t rows, std::int64_t begin,
                     std::int64_t end, float* scores, std::int64_t stride, Softmax* softmax) {
  for (std::int64_t r = 0; r < rows; ++r) softmax[r] = softmax_row(head, first + r, begin, end, scores + r * stride);
}

/// y[rows, dim] = out / sums, and the log sums where they are asked for.
void finish_attended(const AttentionHead& head, std::int64_t first, std::int64_t rows, const Softmax* softmax,
                     const float* out, std::int64_t out_stride, HeadRows<float> y, float* log_sums) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const Floats scale = broadcast(1.0f / softmax[r].sum);
    float* to = y.data + (first + r) * y.stride;
    for (std::int64_t c = 0; c < head.dim; c += lanes()) {
      store(hn::Mul(hn::LoadU(F(), out + r * out_stride + c), scale), to + c, head.dim - c);
    }
    if (log_sums) log_sums[(first + r) * head.heads] = softmax[r].highest + std::log(softmax[r].sum);
  }
}

/// One of a group's query heads, with the keys and values of all of them in panels.
HWY_INLINE void attend_query_head(const AttentionHead& head, HeadRows<float> y, float* log_sums, const float* keys,
                                  const float* values, Workspace& workspace) {
  const std::int64_t n = head.length, dim = head.dim;
  const std::int64_t stride = score_stride(n), out_stride = round_up(dim, panel_width());
  float* queries = workspace.floats(kQueries, kBlockRows * dim);
  float* scores = workspace.floats(kScores, kBlockRows * stride);
  float* out = workspace.floats(kOut, kBlockRows * out_stride);

  for (std::int64_t first = 0; first < n; first += kBlockRows) {
    const std::int64_t rows = HWY_MIN(kBlockRows, n - first), begin = block_begin(head, first);
    copy_rows(head.q.data + first * head.q.stride, head.q.stride, rows, dim, queries);
    const std::int64_t end = head.end_key(first + rows - 1);
    multiply_seen(head, begin, first, rows, queries, keys, scores, stride);
    Softmax softmax[kBlockRows];
    softmax_of_rows(head, first, rows, begin, end, scores, stride, softmax);
    multiply_weights(head, begin, first, rows, scores, stride, values, out, out_stride);
    finish_attended(head, first, rows, softmax, out, out_stride, y, log_sums);
  }
}

void attend_head(const AttentionHead& first, const HeadGroup& group, HeadRows<float> y, float* log_sums,
                 Workspace& workspace) {
  const std::int64_t n = first.length, dim = first.dim;
  float* keys = workspace.floats(kKeys, panels_size(dim, n));      // Kᵀ [dim, n]
  float* values = workspace.floats(kValues, panels_size(n, dim));  // V [n, dim]
  pack_panels(first.k.data, 1, first.k.stride, dim, n, keys);
  pack_panels(first.v.data, first.v.stride, 1, n, dim, values);
  AttentionHead head = first;
  for (std::int64_t h = 0; h < group.size; ++h) {
    head.q.data = first.q.data + h * group.stride;
    head.slope = group.slopes ? group.slopes[h] : 0;
    attend_query_head(head, {y.data + h * dim, y.stride}, log_sums ? log_sums + h : nullptr, keys, values, workspace);
  }
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sgpt::cpu {

HWY_EXPORT(attend_head);
HWY_EXPORT(softmax_of_rows);
HWY_EXPORT(finish_attended);

void attend(const AttentionHead& head, const HeadGroup& group, HeadRows<float> y, float* log_sums,
            Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(attend_head)(head, group, y, log_sums, workspace);
}

void softmax_rows(const AttentionHead& head, std::int64_t first, std::int64_t rows, std::int64_t begin,
                  std::int64_t end, float* scores, std::int64_t stride, Softmax* softmax) {
  HWY_DYNAMIC_DISPATCH(softmax_of_rows)(head, first, rows, begin, end, scores, stride, softmax);
}
void finish_attention(const AttentionHead& head, std::int64_t first, std::int64_t rows, const Softmax* softmax,
                      const float* out, std::int64_t out_stride, HeadRows<float> y, float* log_sums) {
  HWY_DYNAMIC_DISPATCH(finish_attended)(head, first, rows, softmax, out, out_stride, y, log_sums);
}

}  // namespace sgpt::cpu
#endif
