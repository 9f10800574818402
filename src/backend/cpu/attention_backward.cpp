// The gradient of attention, one head of keys and values of one text: the probabilities are computed again from the log
// sums (as FlashAttention does, arXiv 2205.14135), a block of query rows at a time, so nothing of size n² is kept. One
// task owns all gradients of its head and text, so the order of every sum is fixed.
#include "backend/cpu/simd.h"

#include "backend/cpu/vector_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention_backward.cpp"
#include <hwy/foreach_target.h>

#include "backend/cpu/attention_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

constexpr std::int64_t kBackwardRows = 8 * kKernelRows;
enum BackwardSlot : std::size_t {
  kKeysT,
  kValuesT,
  kKeyRows,
  kQueryRows,
  kDyRows,
  kQueryPanels,
  kDyPanels,
  kP,
  kDs,
  kDq,
  kDk,
  kDv
};

/// From the products q·k in `p` and dy·v in `ds`: p = exp(score − log sum) and ds = p · (ds − Σ p·ds) · scale, both
/// zero for the keys from `begin` to `end` that the query does not see.
HWY_INLINE void softmax_backward_row(const AttentionHead& head, std::int64_t i, std::int64_t begin, std::int64_t end,
                                     float* p, float* ds) {
  const F f;
  const std::int64_t first = head.first_key(i), keys = head.end_key(i);
  const Floats log_sum = broadcast(head.log_sums[i * head.heads]);
  Floats sum = hn::Zero(f);
  for (std::int64_t j = first; j < keys; j += lanes()) {
    const Floats score = hn::Sub(biased(hn::LoadU(f, p + j), head, i, j), log_sum);
    const Floats weight = first_lanes(exp_of(score), keys - j);
    sum = hn::Add(sum, first_lanes(hn::Mul(weight, hn::LoadU(f, ds + j)), keys - j));
    hn::StoreU(weight, f, p + j);
  }
  const Floats mean = broadcast(sum_of(sum)), scale = broadcast(head.scale);
  for (std::int64_t j = first; j < keys; j += lanes()) {
    const Floats change = hn::Mul(hn::Sub(hn::LoadU(f, ds + j), mean), scale);
    hn::StoreU(first_lanes(hn::Mul(hn::LoadU(f, p + j), change), keys - j), f, ds + j);
  }
  for (float* row : {p, ds}) {
    zero_between(row, begin, first);
    zero_from(row, first + round_up(keys - first, lanes()), end);
  }
}

void softmax_backward_of_rows(const AttentionHead& head, std::int64_t first, std::int64_t rows, std::int64_t begin,
                              std::int64_t end, float* p, float* ds, std::int64_t stride) {
  for (std::int64_t r = 0; r < rows; ++r) {
    softmax_backward_row(head, first + r, begin, end, p + r * stride, ds + r * stride);
  }
}

/// sums[keys, dim] += weightsᵀ · panels for the keys from `begin` to `end`, over the query rows from the first that
/// sees a key on.
HWY_INLINE void add_transposed(const AttentionHead& head, std::int64_t begin, std::int64_t end, std::int64_t first_row,
                               std::int64_t rows, const float* weights, std::int64_t stride, const float* panels,
                               float* sums, std::int64_t sums_stride) {
  for (std::int64_t first = 0; first < head.dim; first += panel_width()) {
    for (std::int64_t j = begin; j < end; j += kKernelRows) {
      const std::int64_t skipped = HWY_MAX(std::int64_t{0}, head.first_query(j) - first_row);
      panel_times_rows(HWY_MIN(kKernelRows, end - j), head.dim - first, {weights + skipped * stride + j, 1, stride},
                       panels + first * rows + skipped * panel_width(), rows - skipped, sums + j * sums_stride + first,
                       sums_stride, true);
    }
  }
}

HWY_INLINE void store_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t dim, float* to,
                           std::int64_t to_stride) {
  for (std::int64_t r = 0; r < rows; ++r) {
    std::memcpy(to + r * to_stride, from + r * from_stride, static_cast<std::size_t>(dim) * sizeof(float));
  }
}

void attend_head_backward(const AttentionHead& one, const HeadGroup& group, HeadRows<const float> dys_of_group,
                          const AttentionGradients& gradients, Workspace& workspace) {
  AttentionHead head = one;
  const std::int64_t n = head.length, dim = head.dim;
  const std::int64_t stride = score_stride(n), wide = round_up(dim, panel_width());
  const auto panels = [&](BackwardSlot slot, std::int64_t inner, std::int64_t cols) {
    return workspace.floats(slot, panels_size(inner, cols));
  };
  float *keys_t = panels(kKeysT, dim, n), *values_t = panels(kValuesT, dim, n), *keys = panels(kKeyRows, n, dim);
  float* query_panels = panels(kQueryPanels, kBackwardRows, dim);
  float* dy_panels = panels(kDyPanels, kBackwardRows, dim);
  float* queries = workspace.floats(kQueryRows, kBackwardRows * dim);
  float* dys = workspace.floats(kDyRows, kBackwardRows * dim);
  float *p = workspace.floats(kP, kBackwardRows * stride), *ds = workspace.floats(kDs, kBackwardRows * stride);
  float* dq = workspace.floats(kDq, kBackwardRows * wide);
  float *dk = workspace.floats(kDk, n * wide), *dv = workspace.floats(kDv, n * wide);
  pack_panels(head.k.data, 1, head.k.stride, dim, n, keys_t);
  pack_panels(head.v.data, 1, head.v.stride, dim, n, values_t);
  pack_panels(head.k.data, head.k.stride, 1, n, dim, keys);
  std::memset(dk, 0, static_cast<std::size_t>(n * wide) * sizeof(float));
  std::memset(dv, 0, static_cast<std::size_t>(n * wide) * sizeof(float));

  for (std::int64_t h = 0; h < group.size; ++h) {
    head.q.data = one.q.data + h * group.stride;
    head.log_sums = one.log_sums + h;
    head.slope = group.slopes ? group.slopes[h] : 0;
    const HeadRows<const float> dy{dys_of_group.data + h * dim, dys_of_group.stride};
    const HeadRows<float> dq_rows{gradients.dq.data + h * gradients.dq_stride, gradients.dq.stride};
    for (std::int64_t first = 0; first < n; first += kBackwardRows) {
      const std::int64_t rows = HWY_MIN(kBackwardRows, n - first), begin = block_begin(head, first);
      const std::int64_t end = head.end_key(first + rows - 1);
      copy_rows(head.q.data + first * head.q.stride, head.q.stride, rows, dim, queries);
      copy_rows(dy.data + first * dy.stride, dy.stride, rows, dim, dys);
      pack_panels(queries, dim, 1, rows, dim, query_panels);
      pack_panels(dys, dim, 1, rows, dim, dy_panels);
      multiply_seen(head, begin, first, rows, queries, keys_t, p, stride);
      multiply_seen(head, begin, first, rows, dys, values_t, ds, stride);
      softmax_backward_of_rows(head, first, rows, begin, end, p, ds, stride);
      add_transposed(head, begin, end, first, rows, p, stride, dy_panels, dv, wide);
      add_transposed(head, begin, end, first, rows, ds, stride, query_panels, dk, wide);
      multiply_weights(head, begin, first, rows, ds, stride, keys, dq, wide);
      store_rows(dq, wide, rows, dim, dq_rows.data + first * dq_rows.stride, dq_rows.stride);
    }
  }
  store_rows(dk, wide, n, dim, gradients.dk.data, gradients.dk.stride);
  store_rows(dv, wide, n, dim, gradients.dv.data, gradients.dv.stride);
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sgpt::cpu {

HWY_EXPORT(attend_head_backward);
HWY_EXPORT(softmax_backward_of_rows);

void attend_backward(const AttentionHead& head, const HeadGroup& group, HeadRows<const float> dy,
                     const AttentionGradients& gradients, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(attend_head_backward)(head, group, dy, gradients, workspace);
}

void softmax_backward_rows(const AttentionHead& head, std::int64_t first, std::int64_t rows, std::int64_t begin,
                           std::int64_t end, float* p, float* ds, std::int64_t stride) {
  HWY_DYNAMIC_DISPATCH(softmax_backward_of_rows)(head, first, rows, begin, end, p, ds, stride);
}

}  // namespace sgpt::cpu
#endif
