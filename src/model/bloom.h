// BLOOM on a backend: its parameters, its forward pass, and the backward pass that goes with it.
// (arXiv 2211.05100; names, layer order and numbers as in `transformers`. forward.cpp and backward.cpp hold the
// passes.)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "tensor/arena.h"

namespace sgpt {

/// What kind of parameter a name is; the shape is [rows, cols], vectors being [1, cols].
enum class ParameterKind { embedding, matrix, vector };

struct ParameterInfo {
  std::string name;  ///< as in the checkpoint, without "transformer."
  ParameterKind kind;
  std::int64_t rows;
  std::int64_t cols;

  std::vector<std::int64_t> shape() const;  ///< as in the checkpoint: vectors have one dimension
};

/// Every parameter of a BLOOM, in the order of the checkpoint: the one table that drives reading, writing, the
/// optimiser and the tests.
std::vector<ParameterInfo> bloom_parameters(const BloomConfig& config);

/// Which parameters are trained, and which of these the weight decay applies to; asked by name.
struct TrainedParameters {
  std::function<bool(std::string_view)> trained = [](std::string_view) { return false; };
  std::function<bool(std::string_view)> decayed = [](std::string_view) { return false; };
};

/// One parameter as it lies in the backend's memory.
struct Parameter {
  ParameterInfo info;
  Matrix value;     ///< f32 for vectors and trained matrices; null for a frozen matrix; any type for a frozen embedding
  Matrix gradient;  ///< f32; null when frozen
  std::unique_ptr<PackedWeight> packed;  ///< matrices only
  bool trained() const { return static_cast<bool>(gradient); }
};

/// What a forward pass keeps for the backward pass, which has the same bits either way.
enum class Keep {
  activations,  ///< all that backward needs: 9·d numbers a token and layer when only biases are trained
  inputs,       ///< d numbers: each layer's input; backward computes the layer again, but for its last matrix
};

/// The numbers a token that it keeps of a layer.
constexpr std::int64_t kept_numbers(const BloomConfig& config, Keep keep, bool dense_trained) {
  if (keep == Keep::inputs) return config.hidden;
  return (dense_trained ? 10 : 9) * config.hidden + config.heads + 4;
}

/// What one layer's backward pass needs of its forward pass. With Keep::inputs x alone.
struct LayerActivations {
  Matrix x;             // [T,d]  the residual stream before input_layernorm
  Matrix x_stats;       // [T,2]
  Matrix qkv;           // [T,3d]
  Matrix log_sums;      // [T,H]
  Matrix attended;      // [T,d]  the attention's output; only where the matrix that follows is trained
  Matrix middle;        // [T,d]  the residual stream before post_attention_layernorm
  Matrix middle_stats;  // [T,2]
  Matrix before_gelu;   // [T,4d]
};

/// What backward needs of forward. Views into an arena.
struct Activations {
  Matrix embedded;        // [T,d]  rows of the embedding, before its LayerNorm
  Matrix embedded_stats;  // [T,2]
  std::vector<LayerActivations> layers;
  Matrix last;        // [T,d]  before ln_f
  Matrix last_stats;  // [T,2]
  Matrix hidden;      // [T,d]  after ln_f
};

class Bloom {
 public:
  /// Reads the parameters; frozen matrices are packed from the checkpoint's own type, or read where they lie in it for
  /// every product, so the checkpoint must outlive the model, as must the backend. Throws
  /// UserError when a tensor is missing, has another shape than `config` asks for, or holds a NaN or an infinity.
  /// Matrices are multiplied in `compute`, which the backend must be able to, and which is f32 or bf16 for training;
  /// gradients of matrices are always computed in f32.
  Bloom(Backend& backend, const Checkpoint& checkpoint, const BloomConfig& config, const TrainedParameters& which = {},
        ComputeType compute = ComputeType::f32);

  const BloomConfig& config() const { return config_; }
  Backend& backend() const { return backend_; }

  /// Hidden states [T,d] (f32) after ln_f, taken from the arena. Thread-safe, one arena a thread.
  Matrix forward(const PackedTexts& texts, Arena& arena) const;
  /// The same bits, and what backward needs is kept in the arena.
  Matrix forward(const PackedTexts& texts, Arena& arena, Activations& kept, Keep keep = Keep::activations) const;
  /// Bytes of what such a pass leaves in the arena for so many tokens.
  std::size_t kept_bytes(std::int64_t tokens, Keep keep) const;
  /// Gradients += those of this batch, from dhidden[T,d] (overwritten). Stops below the lowest trained parameter.
  void backward(const PackedTexts& texts, const Activations& kept, Matrix dhidden, Arena& arena);

  std::span<const Parameter> parameters() const { return parameters_; }
  const Parameter& parameter(std::string_view name) const;

  /// All trained values, and their gradients, each as one row in the same order; the first `decayed_size()` numbers are
  /// those that decay.
  Matrix trained_values() const { return trained_values_; }
  Matrix trained_gradients() const { return trained_gradients_; }
  std::int64_t decayed_size() const { return decayed_size_; }
  void zero_gradients();
  /// To be called after the trained values were changed: packs the trained matrices again that are packed.
  void values_changed();

  /// Bytes of the parameters in the backend's memory, packed weights included, gradients not.
  std::size_t bytes() const;

 private:
  /// A LayerNorm's or Linear's two parameters.
  struct Pair {
    const Parameter& weight;
    const Parameter& bias;
  };
  /// One layer's parameters, in the order in which they are used.
  struct Layer {
    Pair input_norm;
    Pair query_key_value;
    Pair dense;
    Pair post_norm;
    Pair widen;   // mlp.dense_h_to_4h
    Pair narrow;  // mlp.dense_4h_to_h
  };
  Pair pair(std::size_t index) const { return {parameters_[index], parameters_[index + 1]}; }
  Pair embedding_norm() const { return pair(1); }
  Pair final_norm() const { return pair(parameters_.size() - 2); }
  Layer layer(std::size_t index) const;

  void lay_out_trained(const TrainedParameters& which);
  void load(const Checkpoint& checkpoint);
  /// Whether backward has anything to do for parameters used before this one.
  bool trained_before(const Parameter& parameter) const {
    return first_trained_ < static_cast<std::size_t>(&parameter - parameters_.data());
  }

  /// Whether backward has anything to do in a layer or below it; one without keeps nothing.
  bool trained_up_to(const Layer& layer) const {
    return trained_before(layer.narrow.bias) || layer.narrow.bias.trained();
  }

  Matrix run(const PackedTexts& texts, Arena& arena, Activations* kept, Keep keep) const;
  void run_attention(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix x,
                     LayerActivations* kept) const;
  void run_mlp(const Layer& layer, Arena& arena, Matrix x, LayerActivations* kept) const;
  LayerActivations run_again(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix x) const;
  bool mlp_backward(const Layer& layer, const LayerActivations& kept, Matrix dx, Arena& arena);
  bool attention_backward(const PackedTexts& texts, const Layer& layer, const LayerActivations& kept, Matrix dx,
                          Arena& arena);
  void norm_backward(const Pair& norm, ConstMatrix x, ConstMatrix stats, ConstMatrix dy, Matrix dx);
  void linear_parameters_backward(const Pair& linear, ConstMatrix dy, const std::function<ConstMatrix()>& input);

  Backend& backend_;
  BloomConfig config_;
  ComputeType compute_;
  std::vector<Parameter> parameters_;  // in the order in which the forward pass uses them
  std::size_t first_trained_;          // the lowest trained parameter; parameters_.size() when all are frozen
  std::vector<Buffer> buffers_;
  Matrix slopes_;  // [1,H]
  Matrix trained_values_;
  Matrix trained_gradients_;
  std::int64_t decayed_size_ = 0;
};

/// The type of the matrices in a checkpoint of this model: that of the first one that is there, unchecked.
DType matrix_type(const Checkpoint& checkpoint, const BloomConfig& config);

/// ALiBi's slopes for H heads (arXiv 2108.12409; for H that is no power of two as in `transformers`).
std::vector<float> alibi_slopes(std::int64_t heads);

}  // namespace sgpt
