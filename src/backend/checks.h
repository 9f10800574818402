// What the operations of a backend ask of their matrices, said once for all backends: each calls the check of its
// operation first. A mismatch is a mistake of the program and throws std::logic_error.
#pragma once

#include <span>

#include "backend/backend.h"
#include "tensor/quantize.h"
#include "tensor/require.h"

namespace sgpt::checks {

inline bool alike(const ConstMatrix& a, const ConstMatrix& b) {
  return a.rows == b.rows && a.cols == b.cols && a.type == b.type;
}
inline bool is(const ConstMatrix& m, std::int64_t rows, std::int64_t cols, DType type = DType::f32) {
  return m.rows == rows && m.cols == cols && m.type == type;
}
inline bool is_or_null(const ConstMatrix& m, std::int64_t rows, std::int64_t cols) { return !m || is(m, rows, cols); }
inline ConstMatrix shape_of(const PackedWeight& weight) { return {nullptr, weight.out(), weight.in()}; }

inline void moves(ConstMatrix from, ConstMatrix to) { require(alike(from, to), "moving: to = from", from, to); }

/// `computable`: whether the backend computes in the type that is asked for.
inline void packs(ConstMatrix weight, ConstMatrix scales, bool computable) {
  require(computable, "pack: a type that this machine computes in", weight);
  require(weight.type != DType::i8 || is(scales, weight.rows, quantization_blocks(weight.cols)),
          "pack: W[out,in] of i8 with scales[out,blocks]", weight, scales);
  require(
      weight.type == DType::i8 || weight.type == DType::f32 || weight.type == DType::f16 || weight.type == DType::bf16,
      "pack: W[out,in] of f32, f16, bf16 or i8", weight);
}

inline void embeds(const PackedTexts& texts, ConstMatrix table, ConstMatrix x) {
  require(is(x, texts.tokens, table.cols), "embed: x[T,d] from table[V,d]", x, table);
}
inline void embeds_backward(const PackedTexts& texts, ConstMatrix dx, ConstMatrix dtable) {
  require(is(dx, texts.tokens, dtable.cols), "embed_backward: dtable[V,d] from dx[T,d]", dx, dtable);
}

inline void adds_positions(const PackedTexts& texts, ConstMatrix table, ConstMatrix x) {
  require(is(x, texts.tokens, table.cols) && table.rows >= texts.longest,
          "add_positions: x[T,d] and table[P,d], P at least the longest text", x, table);
}

inline void normalizes_layer(ConstMatrix x, ConstMatrix weight, ConstMatrix y, ConstMatrix stats) {
  require(is(weight, 1, x.cols) && alike(x, y) && is_or_null(stats, x.rows, 2),
          "layer_norm: y[T,d] from x[T,d] and weight[1,d], with stats[T,2]", x, weight, y, stats);
}
inline void normalizes_layer_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, ConstMatrix dy,
                                      ConstMatrix dx, ConstMatrix dweight, ConstMatrix dbias) {
  require(is(stats, x.rows, 2) && is(weight, 1, x.cols) && alike(x, dy) && alike(x, dx) &&
              is_or_null(dweight, 1, x.cols) && is_or_null(dbias, 1, x.cols),
          "layer_norm_backward: x[T,d], stats[T,2], weight[1,d], dy[T,d], dx[T,d], dweight[1,d], dbias[1,d]", x, stats,
          weight, dy, dx, dweight, dbias);
}

inline void normalizes_squares(ConstMatrix x, ConstMatrix weight, ConstMatrix y, ConstMatrix stats) {
  require(is(weight, 1, x.cols) && alike(x, y) && is_or_null(stats, x.rows, 1),
          "rms_norm: y[T,d] from x[T,d] and weight[1,d], with stats[T,1]", x, weight, y, stats);
}
inline void normalizes_squares_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, ConstMatrix dy,
                                        ConstMatrix dx, ConstMatrix dweight) {
  require(
      is(stats, x.rows, 1) && is(weight, 1, x.cols) && alike(x, dy) && alike(x, dx) && is_or_null(dweight, 1, x.cols),
      "rms_norm_backward: x[T,d], stats[T,1], weight[1,d], dy[T,d], dx[T,d], dweight[1,d]", x, stats, weight, dy, dx,
      dweight);
}

/// `input`: the type that x may have beside f32, and a y that is not read.
inline void multiplies(ConstMatrix x, const PackedWeight& weight, ConstMatrix y, Epilogue epilogue, ConstMatrix before,
                       DType input = DType::f32) {
  const bool reads_y = epilogue == Epilogue::add || epilogue == Epilogue::multiply;
  const DType x_type = x.type == input ? input : DType::f32;
  const DType y_type = y.type == input && !reads_y ? input : DType::f32;
  require(
      is(x, y.rows, weight.in(), x_type) && is(y, x.rows, weight.out(), y_type) && is_or_null(before, y.rows, y.cols),
      "linear: y[T,out] from x[T,in] and W[out,in], with z[T,out]", x, shape_of(weight), y, before);
}
inline void multiplies_backward(ConstMatrix dy, const PackedWeight& weight, ConstMatrix dx) {
  require(is(dy, dx.rows, weight.out()) && is(dx, dy.rows, weight.in()),
          "linear_backward_input: dx[T,in] from dy[T,out] and W[out,in]", dy, shape_of(weight), dx);
}
inline void multiplies_gradients(ConstMatrix dy, ConstMatrix x, ConstMatrix dweight) {
  require(is(dy, x.rows, dweight.rows) && is(x, dy.rows, dweight.cols) && dweight.type == DType::f32,
          "linear_backward_weight: dW[out,in] from dy[T,out] and x[T,in]", dy, x, dweight);
}
inline void sums_columns(ConstMatrix dy, ConstMatrix dbias) {
  require(is(dbias, 1, dy.cols), "linear_backward_bias: db[1,out] from dy[T,out]", dy, dbias);
}
inline void changes_elements(ConstMatrix from, ConstMatrix to) {
  require(alike(from, to), "gelu: two matrices of one shape", from, to);
}
inline void gates(ConstMatrix a, ConstMatrix u, ConstMatrix y, ConstMatrix da) {
  require(alike(a, u) && alike(a, y) && alike(a, da), "gate: matrices of one shape", a, u, y, da);
}

/// Whether `heads` heads of `dim` numbers lie within the rows.
inline bool holds(const ConstHeads& heads, std::int64_t rows, std::int64_t count, std::int64_t dim) {
  return heads.rows.rows == rows && heads.rows.type == DType::f32 && heads.first >= 0 &&
         heads.first + (count - 1) * heads.stride + dim <= heads.rows.cols;
}
inline bool holds(const ConstQkv& qkv, std::int64_t rows, const AttentionOptions& options) {
  const std::int64_t key_heads = options.heads / options.group();
  return key_heads * options.group() == options.heads && holds(qkv.query, rows, options.heads, options.dim) &&
         holds(qkv.key, rows, key_heads, options.dim) && holds(qkv.value, rows, key_heads, options.dim);
}
inline void rotates(const PackedTexts& texts, const ConstHeads& x, std::int64_t heads, ConstMatrix turns) {
  require(holds(x, texts.tokens, heads, turns.cols) && turns.cols % 2 == 0 && turns.rows >= texts.longest,
          "rotate: heads in x[T,*] and turns[P, dims], P at least the longest text", x.rows, turns);
}
inline void attends(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options, ConstMatrix y,
                    ConstMatrix log_sums) {
  require(holds(qkv, texts.tokens, options) && is(y, texts.tokens, options.heads * options.dim) &&
              is_or_null(log_sums, texts.tokens, options.heads) && is_or_null(options.slopes, 1, options.heads) &&
              options.window >= 0 && options.key_heads >= 0 && options.key_heads <= options.heads,
          "attention: heads in q, k and v[T,*], y[T, H * dim], slopes[1,H], log_sums[T,H]", qkv.query.rows, y,
          options.slopes, log_sums);
}
inline void attends_backward(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options,
                             ConstMatrix log_sums, ConstMatrix dy, const ConstQkv& dqkv) {
  attends(texts, qkv, options, dy, log_sums);
  require(is(log_sums, texts.tokens, options.heads) && holds(dqkv, texts.tokens, options),
          "attention_backward: heads in dq, dk and dv[T,*], log_sums[T,H]", dqkv.query.rows, log_sums);
}

inline void pools(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes, ConstMatrix e) {
  require(is(h, texts.tokens, h.cols) && is(e, texts.texts, h.cols * static_cast<std::int64_t>(modes.size())),
          "pool: e[B, d * modes] of h[T,d]", h, e);
}

inline void normalizes_rows(ConstMatrix x, ConstMatrix y, ConstMatrix norms) {
  require(alike(x, y) && is_or_null(norms, x.rows, 1), "normalize_rows: y[rows,d] from x[rows,d], with norms[rows,1]",
          x, y, norms);
}
inline void normalizes_rows_backward(ConstMatrix y, ConstMatrix norms, ConstMatrix dy, ConstMatrix dx) {
  require(alike(y, dy) && alike(y, dx) && is(norms, y.rows, 1),
          "normalize_rows_backward: y[rows,d], norms[rows,1], dy[rows,d], dx[rows,d]", y, norms, dy, dx);
}
inline void multiplies_matrices(ConstMatrix a, bool transpose_a, ConstMatrix b, bool transpose_b, ConstMatrix c) {
  const std::int64_t rows = transpose_a ? a.cols : a.rows;
  const std::int64_t inner = transpose_a ? a.rows : a.cols;
  const std::int64_t cols = transpose_b ? b.rows : b.cols;
  require(inner == (transpose_b ? b.cols : b.rows) && is(c, rows, cols) && a.type == DType::f32 && b.type == DType::f32,
          "matmul: c[M,N] from a[M,K] and b[K,N], or their transposes", a, b, c);
}
inline void compares(ConstMatrix scores, std::span<const std::int32_t> labels) {
  require(static_cast<std::int64_t>(labels.size()) == scores.rows, "cross_entropy: scores[B,C] and B labels", scores);
  for (const std::int32_t label : labels) {
    require(label >= 0 && label < scores.cols, "cross_entropy: labels from 0 to C - 1 of scores[B,C]", scores);
  }
}

inline void updates(ConstMatrix gradient, ConstMatrix parameter, ConstMatrix m, ConstMatrix v) {
  require(alike(gradient, parameter) && alike(gradient, m) && alike(gradient, v),
          "adamw: gradient, parameter and both moments of one shape", gradient, parameter, m, v);
}

}  // namespace sgpt::checks
