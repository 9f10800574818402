// The operations that a decoder as an encoder of texts needs, forward and backward, on packed batches. A device is one
// implementation: `reference` (plain loops with double sums, the oracle) and `cpu` (kernels of our own in
// Highway, AVX-512 and AMX, OpenMP).
//
// Every matrix lies in the backend's memory. The residual stream, statistics, gradients and parameters of vectors are
// f32; the other activations have activation_type(). "=" and "+=" say whether an output is overwritten or added to.
// Letters: T tokens, B texts, d hidden, H heads, V vocabulary, C candidates.
//
// Promise that the model stands on: every output row of a forward operation has the same bits whatever the other rows
// are, however many there are, and with any number of threads.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/attention.h"
#include "sgpt/compute_type.h"
#include "sgpt/pooling.h"
#include "tensor/arena.h"
#include "tensor/matrix.h"
#include "tensor/memory.h"
#include "tensor/token_batch.h"

namespace sgpt {

/// What a packed weight will be used for; each costs a layout of its own where it is packed in memory.
enum class WeightUse {
  forward,               ///< linear
  forward_and_backward,  ///< linear and linear_backward_input
};

/// How long the matrix that a weight is packed from lies where it lies.
enum class WeightSource {
  passing,  ///< until pack returns
  lasting,  ///< longer than the packed weight, and unchanged
};

/// The matrix of a Linear, [out, in], in the layout that its backend likes best.
class PackedWeight {
 public:
  virtual ~PackedWeight() = default;
  std::int64_t out() const { return out_; }
  std::int64_t in() const { return in_; }
  /// Memory of its own.
  virtual std::size_t bytes() const = 0;
  /// Whether it still reads the matrix that it was packed from; that must stay where it is, then.
  virtual bool reads_source() const { return false; }

 protected:
  PackedWeight(std::int64_t out, std::int64_t in) : out_(out), in_(in) {}

 private:
  std::int64_t out_;
  std::int64_t in_;
};

/// A matrix [out, in] that is to be packed, for its memory to be planned.
struct WeightToPack {
  std::int64_t out = 0;
  std::int64_t in = 0;
  DType stored = DType::f32;  ///< of the matrix; i8 with scales
  WeightUse use = WeightUse::forward;
  ComputeType type = ComputeType::f32;
  bool trained = false;  ///< for pack_trained, else for pack, which may read it where it lies
};

/// What a packed weight will take.
struct PackedMemory {
  std::uint64_t bytes = 0;    ///< as PackedWeight::bytes, but for padding
  bool reads_source = false;  ///< as PackedWeight::reads_source
};

/// What linear does with z = x Wᵀ + b before it stores it.
enum class Epilogue {
  none,      ///< y = z
  gelu,      ///< y = gelu(z), the tanh form
  silu,      ///< y = silu(z) = z · sigmoid(z)
  multiply,  ///< y *= z, behind a gate (arXiv 2002.05202)
  add,       ///< y += z, the residual stream (f32)
};

/// The function of a gate.
enum class Activation { gelu, silu };

/// An RMSNorm's numbers (arXiv 1910.07467).
struct RmsNorm {
  float eps = 1e-6f;
  float plus = 0;    ///< added to every weight: 1 where a checkpoint has weights less 1
  bool add = false;  ///< y +=
};

/// What is added to each row of a result: the same row of numbers, or one out of a table.
struct Bias {
  Bias() = default;
  /// The same for all rows: [1, cols], or null for none.
  template <class Row>
  requires std::convertible_to<const Row&, ConstMatrix> Bias(const Row& row) : table(row) {}
  Bias(ConstMatrix rows, const std::int32_t* numbers) : table(rows), row_of(numbers) {}

  ConstMatrix table;                     // [A, cols]; null: nothing is added
  const std::int32_t* row_of = nullptr;  // [T] which of its rows, for each row of the result; null: the first for all

  explicit operator bool() const { return static_cast<bool>(table); }
  /// Of a row of the result, where the backend's memory is the machine's own.
  const float* of(std::int64_t row) const { return table.f32_row(row_of ? row_of[row] : 0); }
};

/// AdamW as transformers.optimization.AdamW computes it (eps is not bias-corrected, decay after the step).
struct AdamW {
  double beta1 = 0.9;  // double, because 1 − β2 in float would be off by 1e-5
  double beta2 = 0.999;
  float eps = 1e-6f;
  float step_size = 0;       ///< lr · sqrt(1 − β2^t) / (1 − β1^t)
  float decay = 0;           ///< lr · weight decay, 0 for parameters without
  float gradient_scale = 1;  ///< the gradient is multiplied by this first (clipping)
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string_view name() const = 0;
  virtual Memory& memory() = 0;
  virtual DType activation_type() const { return DType::f32; }
  /// What linear rounds x to before a product of this type. A matrix that nothing else reads may have this type and
  /// loses nothing: the result has the same bits.
  virtual DType input_type(ComputeType /*type*/) const { return DType::f32; }

  // --- moving data; `host` matrices lie in the machine's own memory ------------------------------------------------

  virtual void upload(ConstMatrix host, Matrix device) = 0;             // device = host, same shape and type
  virtual void download(ConstMatrix device, Matrix host) = 0;           // host = device; waits until it is there
  virtual void copy(ConstMatrix from, Matrix to) { upload(from, to); }  // within the backend's memory
  virtual void zero(Matrix x) = 0;                                      // x = 0
  /// The batch in the backend's memory, taken from `arena`; valid as long as `batch` and the arena's memory.
  virtual PackedTexts place(const TokenBatch& batch, Arena& arena) = 0;

  // --- weights ------------------------------------------------------------------------------------------------------

  /// Whether products of this type can be computed on this machine; f32 always can.
  virtual bool computes(ComputeType type) const = 0;
  /// Whether a model's products are clearly faster in bf16 than in f32 here: timed, with the kernels of this use.
  virtual bool gains_from_bf16(WeightUse /*use*/) { return false; }
  /// The kernel of forward with large weights, "" without one. Where it has another name, bf16 has other bits.
  virtual std::string kernel_name(ComputeType type) const = 0;

  /// Packs a host matrix [out, in] of f32, f16 or bf16, or of i8 with `scales` [out, blocks] as quantize_rows makes
  /// them. A lasting one may be read where it lies from then on, instead of being copied (PackedWeight::reads_source).
  /// What goes backward is bf16 where `type` is, else f32.
  virtual std::unique_ptr<PackedWeight> pack(ConstMatrix host_weight, WeightUse use,
                                             ComputeType type = ComputeType::f32, ConstMatrix scales = {},
                                             WeightSource source = WeightSource::passing) = 0;
  /// Packs a matrix that an optimiser changes: f32, in the backend's memory, which outlives the packed weight and may
  /// be read where it lies.
  virtual std::unique_ptr<PackedWeight> pack_trained(ConstMatrix values, WeightUse use,
                                                     ComputeType type = ComputeType::f32) = 0;
  /// The memory that pack or pack_trained will take.
  virtual PackedMemory plan_pack(const WeightToPack& weight) const = 0;
  /// To be called when the values that pack_trained was given have changed.
  virtual void repack(PackedWeight& weight) = 0;

  // --- embedding ----------------------------------------------------------------------------------------------------

  /// x[T,d] = factor · table[ids]; table [V,d] of f32, f16 or bf16.
  virtual void embed(const PackedTexts& texts, ConstMatrix table, Matrix x, float factor = 1) = 0;
  /// dtable[V,d] += factor · rows of dx[T,d].
  virtual void embed_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable, float factor = 1) = 0;
  /// x[T,d] += table[t], t being the token's place in its text; table [P,d] of f32, f16 or bf16, P at least the longest
  /// text.
  virtual void add_positions(const PackedTexts& texts, ConstMatrix table, Matrix x) = 0;
  /// dtable[P,d] += rows of dx[T,d].
  virtual void add_positions_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable) = 0;

  // --- LayerNorm, RMSNorm -------------------------------------------------------------------------------------------

  /// y[T,d] = (x − mean) · rstd · weight + bias, row by row; stats[T,2] = {mean, rstd} where given. y may be x.
  virtual void layer_norm(ConstMatrix x, ConstMatrix weight, const Bias& bias, float eps, Matrix y, Matrix stats) = 0;
  /// dx += the gradient of x; dweight[1,d] += and dbias[1,d] += where given.
  virtual void layer_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, ConstMatrix dy, Matrix dx,
                                   Matrix dweight, Matrix dbias) = 0;
  /// y[T,d] = x · rstd · (weight + plus), row by row, rstd being 1 / sqrt(mean of x² + eps), or += where `norm` says
  /// so; stats[T,1] = rstd where given. y may be x.
  virtual void rms_norm(ConstMatrix x, ConstMatrix weight, const RmsNorm& norm, Matrix y, Matrix stats) = 0;
  /// dx += the gradient of x; dweight[1,d] += where given.
  virtual void rms_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, const RmsNorm& norm,
                                 ConstMatrix dy, Matrix dx, Matrix dweight) = 0;

  // --- Linear -------------------------------------------------------------------------------------------------------

  /// y[T,out] from x[T,in]; `before`[T,out] = z where given. x, and a y that is not read, may have the input_type of
  /// the weight's compute type.
  virtual void linear(ConstMatrix x, const PackedWeight& weight, const Bias& bias, Matrix y, Epilogue epilogue,
                      Matrix before = {}) = 0;
  /// dx[T,in] = dy[T,out] W, or += where `add` says so.
  virtual void linear_backward_input(ConstMatrix dy, const PackedWeight& weight, Matrix dx, bool add = false) = 0;
  /// dweight[out,in] += dyᵀ x. In bf16 both are rounded to it where that is faster; sums are f32.
  virtual void linear_backward_weight(ConstMatrix dy, ConstMatrix x, Matrix dweight,
                                      ComputeType type = ComputeType::f32) = 0;
  /// dbias[1,out] += column sums of dy.
  virtual void linear_backward_bias(ConstMatrix dy, Matrix dbias) = 0;

  /// y = gelu(z), for a pass that kept z alone.
  virtual void gelu(ConstMatrix z, Matrix y) = 0;
  /// dy *= gelu'(z), in place.
  virtual void gelu_backward(ConstMatrix z, Matrix dy) = 0;
  /// y = act(a) · u, element by element, for a pass that kept a and u alone.
  virtual void gate(Activation activation, ConstMatrix a, ConstMatrix u, Matrix y) = 0;
  /// da = dy · u · act'(a), and dy *= act(a), which is the gradient of u.
  virtual void gate_backward(Activation activation, ConstMatrix a, ConstMatrix u, Matrix dy, Matrix da) = 0;

  // --- attention ----------------------------------------------------------------------------------------------------

  /// Turns the first `turns.cols` numbers of every head, in place, in pairs, by row t of turns[P, dims], t being the
  /// token's place in its text and P at least the longest text. `back`: the other way, as the gradient goes.
  virtual void rotate(const PackedTexts& texts, Heads x, std::int64_t heads, ConstMatrix turns, Pairing pairing,
                      bool back) = 0;

  /// Self-attention within each text. y[T, H · dim] = the heads' outputs side by side; log_sums[T,H] =
  /// log Σ exp(scores) where given, for the backward pass (with slope_h · (j − i) in the place of slope_h · j).
  virtual void attention(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options, Matrix y,
                         Matrix log_sums) = 0;
  /// dqkv = the gradient, from dy[T, H · dim]. Of other matrices than qkv's.
  virtual void attention_backward(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options,
                                  ConstMatrix log_sums, ConstMatrix dy, const Qkv& dqkv) = 0;

  // --- pooling ------------------------------------------------------------------------------------------------------

  /// e[B, d·modes] (f32) from the hidden states h[T,d]; a text without tokens gets zeros. Tokens that the texts skip
  /// have no part in it, but in the modes of the first and the last token; where none is left, there are zeros.
  virtual void pool(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes, Matrix e) = 0;
  /// dh[T,d] = the gradient, from de[B, d·modes]. A maximum passes its gradient to the first token that reaches it.
  virtual void pool_backward(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes,
                             ConstMatrix de, Matrix dh) = 0;

  // --- the contrastive loss and exact search, f32 -------------------------------------------------------------------

  /// y = x / max(|x|, 1e-12) row by row; norms[rows,1] = |x| where given. y may be x.
  virtual void normalize_rows(ConstMatrix x, Matrix y, Matrix norms) = 0;
  /// dx = the gradient of x, from y, norms and dy. dx may be dy.
  virtual void normalize_rows_backward(ConstMatrix y, ConstMatrix norms, ConstMatrix dy, Matrix dx) = 0;
  /// c[M,N] = alpha · op(a) op(b), op being the transpose where asked for.
  virtual void matmul(ConstMatrix a, bool transpose_a, ConstMatrix b, bool transpose_b, float alpha, Matrix c) = 0;
  /// Mean cross-entropy of scores[B,C] against the columns labels[b] (host), returned; scores = its gradient.
  virtual double cross_entropy(Matrix scores, std::span<const std::int32_t> labels) = 0;

  // --- the optimiser, f32 -------------------------------------------------------------------------------------------

  /// Σ x².
  virtual double sum_of_squares(ConstMatrix x) = 0;
  /// One step: parameter and the moments m, v are updated from the gradient; all of one shape.
  virtual void adamw(const AdamW& options, ConstMatrix gradient, Matrix parameter, Matrix m, Matrix v) = 0;
};

/// "cpu" or "reference"; throws UserError on another name, listing those that are there.
std::unique_ptr<Backend> make_backend(std::string_view name);

/// The names that make_backend takes.
std::vector<std::string_view> backend_names();

}  // namespace sgpt
