// Attention: every head of every text is a task of its own.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <vector>

#include "backend/cpu/backend_operations.h"
#include "backend/cpu/vector_ops.h"
#include "base/parallel.h"

namespace sgpt::cpu {
namespace {

/// function(head, first token, head number, workspace) for each head of each text, the longest texts first, so that no
/// thread is left with a long one at the end.
template <class Function>
void for_each_head(const PackedTexts& texts, ConstMatrix qkv, ConstMatrix slopes, WorkspacePool& workspaces,
                   Function function) {
  const std::int64_t heads = slopes.cols, d = qkv.cols / 3;
  assert(d * 3 == qkv.cols && d % heads == 0);
  const auto length = [&](std::int32_t b) { return texts.offsets[b + 1] - texts.offsets[b]; };
  std::vector<std::int32_t> order(static_cast<std::size_t>(texts.texts));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return length(a) > length(b); });

  parallel_workers(texts.texts * heads, [&] {
    return [&, workspace = workspaces.take()](std::int64_t task) {
      const std::int32_t b = order[static_cast<std::size_t>(task / heads)];
      const std::int64_t h = task % heads, first = texts.offsets[b], dim = d / heads;
      if (length(b) == 0) return;
      const AttentionHead head{.length = length(b),
                               .dim = dim,
                               .qkv_stride = qkv.cols,
                               .y_stride = d,
                               .heads = heads,
                               .slope = slopes.f32()[h],
                               .scale = 1.0f / std::sqrt(static_cast<float>(dim)),
                               .qkv = qkv.f32_row(first) + h * 3 * dim,
                               .log_sums = nullptr};
      function(head, first, h, *workspace);
    };
  });
}

}  // namespace

void CpuBackend::attention(const PackedTexts& texts, ConstMatrix qkv, ConstMatrix slopes, Matrix y, Matrix log_sums) {
  for_each_head(texts, qkv, slopes, workspaces_,
                [&](const AttentionHead& head, std::int64_t first, std::int64_t h, Workspace& workspace) {
                  attend(head, y.f32_row(first) + h * head.dim, log_sums ? log_sums.f32_row(first) + h : nullptr,
                         workspace);
                });
}

void CpuBackend::attention_backward(const PackedTexts& texts, ConstMatrix qkv, ConstMatrix slopes, ConstMatrix log_sums,
                                    ConstMatrix dy, Matrix dqkv) {
  for_each_head(texts, qkv, slopes, workspaces_,
                [&](AttentionHead head, std::int64_t first, std::int64_t h, Workspace& workspace) {
                  head.log_sums = log_sums.f32_row(first) + h;
                  attend_backward(head, dy.f32_row(first) + h * head.dim, dqkv.f32_row(first) + h * 3 * head.dim,
                                  workspace);
                });
}

}  // namespace sgpt::cpu
