// The vector kernels, each over a piece of work for one thread; the files next to this one that include simd.h hold
// them, compiled once for each instruction set and chosen when the program runs.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "backend/cpu/product.h"
#include "backend/cpu/workspace.h"

namespace sgpt::cpu {

// --- elementwise.cpp ------------------------------------------------------------------------------------------------

/// What linear does with a tile of x Wᵀ.
struct LinearEpilogue {
  Bias bias;
  Epilogue kind;
  Matrix y;       // [T,out]
  Matrix before;  // [T,out], or null
};
void finish_linear(const LinearEpilogue& epilogue, const Tile& tile);
/// y = alpha · tile, or y += alpha · tile.
void finish_product(const Tile& tile, float alpha, bool accumulate, Matrix y);
void gelu(const float* z, float* y, std::int64_t n);
void gelu_backward(const float* z, float* dy, std::int64_t n);
/// y = act(a) · u.
void gate(Activation activation, const float* a, const float* u, float* y, std::int64_t n);
/// da = dy · u · act'(a), then dy *= act(a).
void gate_backward(Activation activation, const float* a, const float* u, float* dy, float* da, std::int64_t n);
/// sums[c] += Σ over `rows` rows of x[·, c], for `cols` columns; rows lie `stride` floats apart.
void add_column_sums(const float* x, std::int64_t rows, std::int64_t cols, std::int64_t stride, float* sums);

// --- layer_norm.cpp -------------------------------------------------------------------------------------------------

struct LayerNorm {
  const float *x, *weight, *bias;
  const std::int32_t* bias_row_of;  // [rows] rows of d in `bias`; null: the first for all
  float eps;
  std::int64_t rows, d;
  float *y, *stats;  // stats may be null
};
void layer_norm_rows(const LayerNorm& piece);
struct LayerNormBackward {
  const float *x, *stats, *weight, *dy;
  float* dx;       // +=
  float* dweight;  // [d] of this piece, +=; or null
  float* dbias;    // [d] of this piece, +=; or null
  std::int64_t rows, d;
};
void layer_norm_backward_rows(const LayerNormBackward& piece);
struct RmsNormRows {
  const float *x, *weight;
  RmsNorm norm;
  std::int64_t rows, d;
  float *y, *stats;  // stats may be null
};
void rms_norm_rows(const RmsNormRows& piece);
struct RmsNormBackward {
  const float *x, *stats, *weight, *dy;
  RmsNorm norm;
  float* dx;       // +=
  float* dweight;  // [d] of this piece, +=; or null
  std::int64_t rows, d;
};
void rms_norm_backward_rows(const RmsNormBackward& piece);

// --- attention.cpp, attention_backward.cpp --------------------------------------------------------------------------

/// A head's numbers of consecutive tokens: the first token's, and floats from one to the next.
template <class Float>
struct HeadRows {
  Float* data;
  std::int64_t stride;
};

/// One head of keys and values of one text, and the first of the query heads that read it.
struct AttentionHead {
  std::int64_t length;  // n, tokens of the text
  std::int64_t dim;     // of the head
  std::int64_t window;  // keys that a query sees on a side, its own included
  std::int64_t heads;   // from one token's log sum to the next
  bool causal;
  float slope, scale;
  HeadRows<const float> q, k, v;
  const float* log_sums;  // of the first token; for backward

  std::int64_t first_key(std::int64_t query) const { return query < window ? 0 : query - window + 1; }
  /// Past the last one.
  std::int64_t end_key(std::int64_t query) const {
    return causal ? query + 1 : length - query < window ? length : query + window;
  }
  /// The first query that sees a key.
  std::int64_t first_query(std::int64_t key) const { return causal ? key : first_key(key); }
};
/// The query heads of a group that share their head of keys and values, one after the other.
struct HeadGroup {
  std::int64_t size;    // query heads
  std::int64_t stride;  // floats from one's queries to the next's
  const float* slopes;  // of each; null: 0
};
/// y of the first head; those of the others lie beside it. log_sums likewise, or null.
void attend(const AttentionHead& head, const HeadGroup& group, HeadRows<float> y, float* log_sums,
            Workspace& workspace);

/// What a row of scores was divided by to be probabilities.
struct Softmax {
  float highest;  // score
  float sum;      // of exp(score − highest)
};
/// Turns the products of queries and keys, scores[rows, keys] of the queries from `first` on, into exp(score −
/// highest), zeros for the keys from `begin` to `end` that a query does not see. Up to a vector behind `end` may be
/// written.
void softmax_rows(const AttentionHead& head, std::int64_t first, std::int64_t rows, std::int64_t begin,
                  std::int64_t end, float* scores, std::int64_t stride, Softmax* softmax);
/// y of the queries from `first` on = out[rows, dim] / sums, and their log sums where they are asked for.
void finish_attention(const AttentionHead& head, std::int64_t first, std::int64_t rows, const Softmax* softmax,
                      const float* out, std::int64_t out_stride, HeadRows<float> y, float* log_sums);

// In attention_tiles.cpp: attend in bf16, on the processor's tiles, where it has them, and with the same bits on every
// processor, slowly, for tests.
void attend_bf16(const AttentionHead& head, const HeadGroup& group, HeadRows<float> y, float* log_sums,
                 Workspace& workspace);
void attend_plain_bf16(const AttentionHead& head, const HeadGroup& group, HeadRows<float> y, float* log_sums,
                       Workspace& workspace);

struct AttentionGradients {
  HeadRows<float> dq, dk, dv;  // =
  std::int64_t dq_stride;      // floats from one head's to the next's
};
void attend_backward(const AttentionHead& head, const HeadGroup& group, HeadRows<const float> dy,
                     const AttentionGradients& gradients, Workspace& workspace);

/// From the products q·k in `p` and dy·v in `ds` of the queries from `first` on: p = exp(score − log sum) and
/// ds = p · (ds − Σ p·ds) · scale, both zero for the keys from `begin` to `end` that a query does not see.
void softmax_backward_rows(const AttentionHead& head, std::int64_t first, std::int64_t rows, std::int64_t begin,
                           std::int64_t end, float* p, float* ds, std::int64_t stride);
// In attention_tiles_backward.cpp, as above.
void attend_backward_bf16(const AttentionHead& head, const HeadGroup& group, HeadRows<const float> dy,
                          const AttentionGradients& gradients, Workspace& workspace);
void attend_backward_plain_bf16(const AttentionHead& head, const HeadGroup& group, HeadRows<const float> dy,
                                const AttentionGradients& gradients, Workspace& workspace);

// --- rows.cpp -------------------------------------------------------------------------------------------------------

/// to[n] = `n` elements of `type` (f32, f16, bf16) as floats.
void convert_to_floats(const void* from, DType type, std::int64_t n, float* to);
/// y[n] += x[n].
void add_to(const float* x, std::int64_t n, float* y);
/// sums[n] += weight · x[n], in double.
void add_weighted(const float* x, double weight, std::int64_t n, double* sums);
/// y[n] += weight · x[n].
void add_scaled(const float* x, float weight, std::int64_t n, float* y);
/// y[n] = max(y, x).
void keep_larger(const float* x, std::int64_t n, float* y);
double dot(const float* a, const float* b, std::int64_t n);
/// y[n] = factor · y.
void scale(float factor, std::int64_t n, float* y);
/// Turns the pairs of x[half] and x[half + half] by angles, of which cosines[half] and sines[half] are given, or back.
void rotate_halves(const float* cosines, const float* sines, std::int64_t half, bool back, float* x);
/// y = a · x + b · z.
void combine(float a, const float* x, float b, const float* z, std::int64_t n, float* y);

// --- converted_rows.cpp ---------------------------------------------------------------------------------------------

/// values[inner] = row[count] rounded to the nearest bf16, ties to even; zeros after them.
void round_to_bf16(const float* row, std::int64_t count, std::int64_t inner, std::uint16_t* values);
/// values[inner] = row[count] as integers from 0 to 255, so that row ≈ lowest + step · values; zeros after them. A step
/// is 1/255 of the way from the row's lowest number to its highest. Where an outlier makes that way long beside the
/// other numbers, fine[inner] are what values left, in steps of 1/255 of that; else they stay as they are.
void quantize_row(const float* row, std::int64_t count, std::int64_t inner, std::uint8_t* values, std::uint8_t* fine,
                  RowRange& range);
/// The same integers in 16 bits.
void quantize_row(const float* row, std::int64_t count, std::int64_t inner, std::int16_t* values, std::int16_t* fine,
                  RowRange& range);
/// values[count] = weights, of which there are at most kQuantizationBlock, as quantize_rows has them; returns the
/// scale.
float quantize_weights(const void* weights, DType type, std::int64_t count, std::int8_t* values);
/// A product of quantized rows and columns in exact integers, and what they stand for.
struct QuantizedProduct {
  const std::int32_t* exact;  // [rows, cols]
  std::int64_t stride;        // of exact
  const RowRange* ranges;     // of the rows
  const float* scales;        // of the columns
  const float* sums;          // scale · Σ of the integers of each column
};
/// tile[rows, cols] = the product of what they stand for, or += where `accumulate` says so. `cols` is a multiple of 16.
void add_quantized(const QuantizedProduct& product, std::int64_t rows, std::int64_t cols, bool accumulate, float* tile,
                   std::int64_t tile_stride);

// --- adamw.cpp ------------------------------------------------------------------------------------------------------

void adamw(const AdamW& options, const float* gradient, std::int64_t n, float* parameter, float* m, float* v);

}  // namespace sgpt::cpu
