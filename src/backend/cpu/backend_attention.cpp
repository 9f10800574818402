// Attention: every head of every text is a task of its own. Rotary positions: tokens are.
#include <algorithm>
#include <numeric>
#include <vector>

#include "backend/checks.h"
#include "backend/cpu/backend_operations.h"
#include "backend/cpu/tokens.h"
#include "backend/cpu/vector_ops.h"
#include "base/parallel.h"

namespace sgpt::cpu {
namespace {

/// function(head, first token, head number, workspace) for each head of each text, the longest texts first, so that no
/// thread is left with a long one at the end.
template <class Function>
void for_each_head(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options,
                   WorkspacePool& workspaces, Function function) {
  const std::int64_t heads = options.heads;
  const auto length = [&](std::int32_t b) { return std::int64_t{texts.offsets[b + 1]} - texts.offsets[b]; };
  std::vector<std::int32_t> order(static_cast<std::size_t>(texts.texts));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return length(a) > length(b); });

  parallel_workers(texts.texts * heads, [&] {
    return [&, workspace = workspaces.take()](std::int64_t task) {
      const std::int32_t b = order[static_cast<std::size_t>(task / heads)];
      const std::int64_t h = task % heads, first = texts.offsets[b];
      if (length(b) == 0) return;
      const auto rows = [&](const ConstHeads& part) {
        return HeadRows<const float>{part.f32_at(first, h), part.rows.cols};
      };
      const AttentionHead head{.length = length(b),
                               .dim = options.dim,
                               .window = options.window > 0 ? options.window : length(b),
                               .heads = heads,
                               .slope = options.slopes ? options.slopes.f32()[h] : 0,
                               .scale = options.scale,
                               .q = rows(qkv.query),
                               .k = rows(qkv.key),
                               .v = rows(qkv.value),
                               .log_sums = nullptr};
      function(head, first, h, *workspace);
    };
  });
}

}  // namespace

void CpuBackend::rotate(const PackedTexts& texts, Heads x, std::int64_t heads, ConstMatrix turns, bool back) {
  checks::rotates(texts, x, heads, turns);
  for_each_token(texts, [&](std::int64_t t, std::int64_t position) {
    const float* turn = turns.f32_row(position);
    for (std::int64_t h = 0; h < heads; ++h) {
      float* head = x.f32_at(t, h);
      for (std::int64_t c = 0; c < turns.cols; c += 2) {
        const float cosine = turn[c], sine = back ? -turn[c + 1] : turn[c + 1];
        const float left = head[c], right = head[c + 1];
        head[c] = left * cosine - right * sine;
        head[c + 1] = right * cosine + left * sine;
      }
    }
  });
}

void CpuBackend::attention(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options, Matrix y,
                           Matrix log_sums) {
  checks::attends(texts, qkv, options, y, log_sums);
  for_each_head(texts, qkv, options, workspaces_,
                [&](const AttentionHead& head, std::int64_t first, std::int64_t h, Workspace& workspace) {
                  attend(head, {y.f32_row(first) + h * head.dim, y.cols},
                         log_sums ? log_sums.f32_row(first) + h : nullptr, workspace);
                });
}

void CpuBackend::attention_backward(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options,
                                    ConstMatrix log_sums, ConstMatrix dy, const Qkv& dqkv) {
  checks::attends_backward(texts, qkv, options, log_sums, dy, dqkv);
  for_each_head(texts, qkv, options, workspaces_,
                [&](AttentionHead head, std::int64_t first, std::int64_t h, Workspace& workspace) {
                  const auto rows = [&](const Heads& part) {
                    return HeadRows<float>{part.f32_at(first, h), part.rows.cols};
                  };
                  head.log_sums = log_sums.f32_row(first) + h;
                  attend_backward(head, {dy.f32_row(first) + h * head.dim, dy.cols},
                                  {rows(dqkv.query), rows(dqkv.key), rows(dqkv.value)}, workspace);
                });
}

}  // namespace sgpt::cpu
