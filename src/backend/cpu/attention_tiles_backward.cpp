// The gradient of attention in bf16 on tiles, as attention_backward.cpp has it in f32. The gradients of keys and values
// are summed up transposed, [dim, tokens]: so the probabilities of a block of queries are a right side as they lie.
#include <utility>

#include "backend/cpu/attention_tiles.h"

#if defined(__x86_64__)
#include "backend/cpu/avx512.h"
#endif

namespace sgpt::cpu {
namespace {

enum Slot : std::size_t {
  kKeyColumns,
  kValueColumns,
  kKeyRows,
  kRowsOfBlock,
  kTransposed,
  kP,
  kDs,
  kWeights,
  kDq,
  kDkT,
  kDvT
};

using Word = std::uint32_t;  // two neighbours in k

#if defined(__x86_64__)
[[gnu::target("avx512f")]] void transpose_with_avx512(Word* words) {
  Words rows[kLanes];
  for (std::int64_t i = 0; i < kLanes; ++i) rows[i] = _mm512_loadu_si512(words + i * kLanes);
  transpose(rows);
  for (std::int64_t i = 0; i < kLanes; ++i) _mm512_storeu_si512(words + i * kLanes, rows[i]);
}
#endif

template <class Unit>
void transpose_register(Word* words) {
#if defined(__x86_64__)
  if constexpr (!Unit::kPlain) return transpose_with_avx512(words);
#endif
  for (std::int64_t i = 0; i < kUnitRows; ++i) {
    for (std::int64_t j = 0; j < i; ++j) std::swap(words[i * kUnitRows + j], words[j * kUnitRows + i]);
  }
}

/// rowsᵀ[dim, 32] as a left side.
template <class Unit>
Registers transposed(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t dim, std::size_t slot,
                     Workspace& workspace) {
  const std::int64_t registers = registers_of(dim);
  void* packed = workspace.bytes(slot, static_cast<std::size_t>(registers * kUnitBytes));
  pack_registers<Unit>({from, rows, dim, stride, 1}, kBlockRows, packed, workspace);
  for (std::int64_t i = 0; i < registers; ++i) {
    transpose_register<Unit>(static_cast<Word*>(packed) + i * kUnitRows * kUnitRows);
  }
  return {static_cast<const std::byte*>(packed), kUnitBytes};
}

/// to[tokens, dim] = fromᵀ.
void store_transposed(const float* from, std::int64_t from_stride, std::int64_t tokens, std::int64_t dim,
                      HeadRows<float> to) {
  constexpr std::int64_t kSide = 16;
  for (std::int64_t t0 = 0; t0 < tokens; t0 += kSide) {
    for (std::int64_t c = 0; c < dim; ++c) {
      for (std::int64_t t = t0; t < std::min(tokens, t0 + kSide); ++t) {
        to.data[t * to.stride + c] = from[c * from_stride + t];
      }
    }
  }
}

template <class Unit>
void attend_backward_on_tiles(const AttentionHead& one, const HeadGroup& group, HeadRows<const float> dys_of_group,
                              const AttentionGradients& gradients, Workspace& workspace) {
  AttentionHead head = one;
  const std::int64_t n = head.length, dim = head.dim, wide = registers_of(dim) * kUnitFloats;
  const PackedHead<Unit> packed(n, dim);
  const Registers key_columns = packed.columns(head.k, kKeyColumns, workspace);
  const Registers value_columns = packed.columns(head.v, kValueColumns, workspace);
  const Registers key_rows = packed.rows(head.k, kKeyRows, workspace);
  const std::int64_t stride = packed.all() + kUnitFloats, steps = packed.inner() / kUnitHalves;
  float *p = workspace.floats(kP, kBlockRows * stride), *ds = workspace.floats(kDs, kBlockRows * stride);
  float *dk = workspace.floats(kDkT, wide * stride), *dv = workspace.floats(kDvT, wide * stride);
  std::fill_n(dk, wide * stride, 0.0F);
  std::fill_n(dv, wide * stride, 0.0F);

  const UnitScope<Unit> scope;
  for (std::int64_t h = 0; h < group.size; ++h) {
    head.q.data = one.q.data + h * group.stride;
    head.log_sums = one.log_sums + h;
    head.slope = group.slopes ? group.slopes[h] : 0;
    const float* dys = dys_of_group.data + h * dim;
    float* dqs = gradients.dq.data + h * gradients.dq_stride;
    for (std::int64_t first = 0; first < n; first += kBlockRows) {
      const std::int64_t rows = std::min(kBlockRows, n - first);
      const SeenKeys keys = seen_keys(head, first, rows);
      const std::int64_t begin = keys.begin, seen = keys.count;
      const float *q = head.q.data + first * head.q.stride, *dy = dys + first * dys_of_group.stride;
      const auto scores = [&](const float* left, std::int64_t left_stride, const Registers& columns, float* to) {
        const Registers side = left_side(left, left_stride, rows, dim, packed.inner(),
                                         take_left_side(packed.inner(), kRowsOfBlock, workspace));
        multiply_registers<Unit>(side, kBlockRows, columns_from(columns, begin), seen, steps, to + begin, stride,
                                 false);
      };
      scores(q, head.q.stride, key_columns, p);
      scores(dy, dys_of_group.stride, value_columns, ds);
      softmax_backward_rows(head, first, rows, begin, begin + seen, p, ds, stride);

      const auto add_transposed = [&](const float* left, std::int64_t left_stride, const float* weights, float* sums) {
        const Registers side = transposed<Unit>(left, left_stride, rows, dim, kTransposed, workspace);
        auto* right =
            static_cast<std::byte*>(workspace.bytes(kWeights, static_cast<std::size_t>(2 * kBlockRows * seen)));
        pack_registers<Unit>({weights + begin, rows, seen, stride, 1}, kBlockRows, right, workspace);
        multiply_registers<Unit>(side, wide, {right, kUnitBytes}, seen, 1, sums + begin, stride, true);
      };
      add_transposed(dy, dys_of_group.stride, p, dv);
      add_transposed(q, head.q.stride, ds, dk);

      float* dq = workspace.floats(kDq, kBlockRows * wide);
      const Registers side = left_side(ds + begin, stride, rows, seen, seen, take_left_side(seen, kWeights, workspace));
      multiply_registers<Unit>(side, kBlockRows, rows_from(key_rows, begin), dim, seen / kUnitHalves, dq, wide, false);
      for (std::int64_t r = 0; r < rows; ++r) {
        std::copy_n(dq + r * wide, dim, dqs + (first + r) * gradients.dq.stride);
      }
    }
  }
  store_transposed(dk, stride, n, dim, gradients.dk);
  store_transposed(dv, stride, n, dim, gradients.dv);
}

}  // namespace

void attend_backward_plain_bf16(const AttentionHead& head, const HeadGroup& group, HeadRows<const float> dy,
                                const AttentionGradients& gradients, Workspace& workspace) {
  attend_backward_on_tiles<PlainTileUnit>(head, group, dy, gradients, workspace);
}

void attend_backward_bf16(const AttentionHead& head, const HeadGroup& group, HeadRows<const float> dy,
                          const AttentionGradients& gradients, Workspace& workspace) {
  attend_backward_on_tiles<BestTileUnit>(head, group, dy, gradients, workspace);
}

}  // namespace sgpt::cpu
