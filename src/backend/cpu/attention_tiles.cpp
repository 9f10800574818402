// Attention in bf16 on tiles: scores and values are products of rounded numbers with sums in f32, the softmax between
// them is f32.
#include <array>

#include "backend/cpu/attention_tiles.h"

namespace sgpt::cpu {
namespace {

enum Slot : std::size_t { kKeys, kValues, kQueries, kScores, kWeights, kOut };

template <class Unit>
void attend_query_head(const AttentionHead& head, HeadRows<float> y, float* log_sums, const PackedHead<Unit>& packed,
                       const Registers& keys, const Registers& values, Workspace& workspace) {
  const std::int64_t stride = packed.all() + kUnitFloats, out_stride = registers_of(head.dim) * kUnitFloats;
  std::byte* queries = take_left_side(packed.inner(), kQueries, workspace);
  std::byte* weights = take_left_side(packed.all(), kWeights, workspace);
  float* scores = workspace.floats(kScores, kBlockRows * stride);
  float* out = workspace.floats(kOut, kBlockRows * out_stride);
  for (std::int64_t first = 0; first < head.length; first += kBlockRows) {
    const std::int64_t rows = std::min(kBlockRows, head.length - first);
    const auto [begin, seen] = seen_keys(head, first, rows);
    const Registers left =
        left_side(head.q.data + first * head.q.stride, head.q.stride, rows, head.dim, packed.inner(), queries);
    multiply_registers<Unit>(left, kBlockRows, columns_from(keys, begin), seen, packed.inner() / kUnitHalves,
                             scores + begin, stride, false);
    std::array<Softmax, static_cast<std::size_t>(kBlockRows)> softmax;
    softmax_rows(head, first, rows, begin, begin + seen, scores, stride, softmax.data());
    const Registers probabilities = left_side(scores + begin, stride, rows, seen, seen, weights);
    multiply_registers<Unit>(probabilities, kBlockRows, rows_from(values, begin), head.dim, seen / kUnitHalves, out,
                             out_stride, false);
    finish_attention(head, first, rows, softmax.data(), out, out_stride, y, log_sums);
  }
}

template <class Unit>
void attend_on_tiles(const AttentionHead& first, const HeadGroup& group, HeadRows<float> y, float* log_sums,
                     Workspace& workspace) {
  const PackedHead<Unit> packed(first.length, first.dim);
  const Registers keys = packed.columns(first.k, kKeys, workspace);
  const Registers values = packed.rows(first.v, kValues, workspace);
  AttentionHead head = first;
  const UnitScope<Unit> scope;
  for (std::int64_t h = 0; h < group.size; ++h) {
    head.q.data = first.q.data + h * group.stride;
    head.slope = group.slopes ? group.slopes[h] : 0;
    attend_query_head(head, {y.data + h * head.dim, y.stride}, log_sums ? log_sums + h : nullptr, packed, keys, values,
                      workspace);
  }
}

}  // namespace

void attend_plain_bf16(const AttentionHead& head, const HeadGroup& group, HeadRows<float> y, float* log_sums,
                       Workspace& workspace) {
  attend_on_tiles<PlainTileUnit>(head, group, y, log_sums, workspace);
}

void attend_bf16(const AttentionHead& head, const HeadGroup& group, HeadRows<float> y, float* log_sums,
                 Workspace& workspace) {
  attend_on_tiles<BestTileUnit>(head, group, y, log_sums, workspace);
}

}  // namespace sgpt::cpu
