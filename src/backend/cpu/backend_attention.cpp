// Attention: every head of keys and values of every text is a task of its own. Rotary positions: tokens are.
#include <omp.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "backend/checks.h"
#include "backend/cpu/backend_operations.h"
#include "backend/cpu/processor.h"
#include "backend/cpu/tokens.h"
#include "backend/cpu/vector_ops.h"
#include "base/parallel.h"

namespace sgpt::cpu {
namespace {

/// How many of a group's query heads a task takes: all of them, whose keys and values are packed once then; or one,
/// where there would be too few tasks for the threads.
std::int64_t heads_of_task(const PackedTexts& texts, const AttentionOptions& options) {
  constexpr std::int64_t kTasksPerThread = 2;
  const std::int64_t tasks = texts.texts * options.heads / options.group();
  return tasks >= kTasksPerThread * omp_get_max_threads() ? options.group() : 1;
}

/// function(head, its group, first token, number of the first query head, workspace) for each `count` query heads that
/// share their keys and values, of each text, the longest texts first, so that no thread is left with a long one at the
/// end.
template <class Function>
void for_each_head(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options, std::int64_t count,
                   WorkspacePool& workspaces, Function function) {
  const std::int64_t parts = options.heads / count;
  const auto length = [&](std::int32_t b) { return std::int64_t{texts.offsets[b + 1]} - texts.offsets[b]; };
  std::vector<std::int32_t> order(static_cast<std::size_t>(texts.texts));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return length(a) > length(b); });

  parallel_workers(texts.texts * parts, [&] {
    return [&, workspace = workspaces.take()](std::int64_t task) {
      const std::int32_t b = order[static_cast<std::size_t>(task / parts)];
      const std::int64_t h = task % parts * count, first = texts.offsets[b];
      if (length(b) == 0) return;
      const auto rows = [&](const ConstHeads& part, std::int64_t number) {
        return HeadRows<const float>{part.f32_at(first, number), part.rows.cols};
      };
      const std::int64_t shared = h / options.group();
      const AttentionHead head{.length = length(b),
                               .dim = options.dim,
                               .window = options.window > 0 ? options.window : length(b),
                               .heads = options.heads,
                               .causal = options.causal,
                               .slope = 0,
                               .scale = options.scale,
                               .q = rows(qkv.query, h),
                               .k = rows(qkv.key, shared),
                               .v = rows(qkv.value, shared),
                               .log_sums = nullptr};
      const HeadGroup group{
          .size = count, .stride = qkv.query.stride, .slopes = options.slopes ? options.slopes.f32() + h : nullptr};
      function(head, group, first, h, *workspace);
    };
  });
}

/// Without tiles bf16 gains nothing in products so small.
bool on_tiles(const AttentionOptions& options) { return options.type == ComputeType::bf16 && processor().amx_bf16; }

}  // namespace

void CpuBackend::rotate(const PackedTexts& texts, Heads x, std::int64_t heads, ConstMatrix turns, Pairing pairing,
                        bool back) {
  checks::rotates(texts, x, heads, turns);
  for_each_token(texts, [&](std::int64_t t, std::int64_t position) {
    const float* turn = turns.f32_row(position);
    for (std::int64_t h = 0; h < heads; ++h) {
      float* head = x.f32_at(t, h);
      if (pairing == Pairing::halves) {
        rotate_halves(turn, turn + turns.cols / 2, turns.cols / 2, back, head);
        continue;
      }
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
  const auto attend_one = on_tiles(options) ? attend_bf16 : attend;
  for_each_head(
      texts, qkv, options, heads_of_task(texts, options), workspaces_,
      [&](const AttentionHead& head, const HeadGroup& group, std::int64_t first, std::int64_t h, Workspace& workspace) {
        attend_one(head, group, {y.f32_row(first) + h * head.dim, y.cols},
                   log_sums ? log_sums.f32_row(first) + h : nullptr, workspace);
      });
}

void CpuBackend::attention_backward(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options,
                                    ConstMatrix log_sums, ConstMatrix dy, const Qkv& dqkv) {
  checks::attends_backward(texts, qkv, options, log_sums, dy, dqkv);
  const auto attend_one = on_tiles(options) ? attend_backward_bf16 : cpu::attend_backward;
  // A head of keys and values is one task's alone, which sums its gradients over the query heads in their order.
  for_each_head(
      texts, qkv, options, options.group(), workspaces_,
      [&](AttentionHead head, const HeadGroup& group, std::int64_t first, std::int64_t h, Workspace& workspace) {
        const auto rows = [&](const Heads& part, std::int64_t number) {
          return HeadRows<float>{part.f32_at(first, number), part.rows.cols};
        };
        const std::int64_t shared = h / options.group();
        head.log_sums = log_sums.f32_row(first) + h;
        attend_one(head, group, {dy.f32_row(first) + h * head.dim, dy.cols},
                   {rows(dqkv.query, h), rows(dqkv.key, shared), rows(dqkv.value, shared), dqkv.query.stride},
                   workspace);
      });
}

}  // namespace sgpt::cpu
