// What the attention works on: where the heads of its matrices lie, and what a query's scores are made of.
#pragma once

#include <cstdint>
#include <type_traits>

#include "sgpt/compute_type.h"
#include "tensor/matrix.h"

namespace sgpt {

/// The heads of a matrix: those of row t begin at its columns first, first + stride, first + 2 · stride, …
template <class Void>
struct BasicHeads {
  BasicMatrix<Void> rows;  // [T, at least first + (H − 1) · stride + dim]
  std::int64_t first = 0;
  std::int64_t stride = 0;

  BasicHeads() = default;
  BasicHeads(BasicMatrix<Void> rows_, std::int64_t first_, std::int64_t stride_)
      : rows(rows_), first(first_), stride(stride_) {}
  /// A read-only view of writable heads.
  template <class Other>
  requires(std::is_const_v<Void> && !std::is_const_v<Other>) BasicHeads(const BasicHeads<Other>& heads)
      : BasicHeads(heads.rows, heads.first, heads.stride) {}

  auto* f32_at(std::int64_t row, std::int64_t head) const { return rows.f32_row(row) + first + head * stride; }
};

using Heads = BasicHeads<void>;
using ConstHeads = BasicHeads<const void>;

/// Queries, keys and values, or the gradients of these. They may be parts of one matrix, or of three.
template <class Void>
struct BasicQkv {
  BasicHeads<Void> query;
  BasicHeads<Void> key;
  BasicHeads<Void> value;

  BasicQkv() = default;
  BasicQkv(BasicHeads<Void> q, BasicHeads<Void> k, BasicHeads<Void> v) : query(q), key(k), value(v) {}
  template <class Other>
  requires(std::is_const_v<Void> && !std::is_const_v<Other>) BasicQkv(const BasicQkv<Other>& qkv)
      : query(qkv.query), key(qkv.key), value(qkv.value) {}
};

using Qkv = BasicQkv<void>;
using ConstQkv = BasicQkv<const void>;

/// How the numbers of a head are paired to be turned by a token's position, and how a row of turns lies.
enum class Pairing {
  neighbours,  ///< 2i with 2i + 1, by the angle whose cosine and sine are turns[2i] and turns[2i + 1]
  halves,      ///< i with dims / 2 + i, by the angle whose cosine and sine are turns[i] and turns[dims / 2 + i]
};

/// The score of key j for query i is q_i·k_j · scale + slope_h · j, for the keys i − window < j <= i of their text, or,
/// where the attention is not causal, i − window < j < i + window. Query head h reads the keys and values of key head
/// floor(h · K / H) (arXiv 2305.13245).
struct AttentionOptions {
  std::int64_t heads = 1;  // H, of queries
  std::int64_t dim = 0;    // numbers of a head
  float scale = 1;
  ConstMatrix slopes = {};     // [1,H]; null: 0 for all
  std::int64_t window = 0;     // keys that a query sees on a side, its own included; 0: all
  std::int64_t key_heads = 0;  // K, of keys and values, a divisor of H; 0: H
  bool causal = true;          // a query sees no key after its own
  /// Of products with keys and values; a backend takes f32 where bf16 is not faster. Both give rows that are
  /// independent.
  ComputeType type = ComputeType::f32;

  /// Query heads that read one key head.
  std::int64_t group() const { return key_heads > 0 ? heads / key_heads : 1; }
};

}  // namespace sgpt
