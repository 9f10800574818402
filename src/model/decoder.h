// A decoder on a backend: its parameters, its forward pass, and the backward pass that goes with it, for every family
// of models (numbers as in `transformers`). What is computed follows from its Architecture and from which parameters
// the family has. forward.cpp and backward.cpp hold the passes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "model/architecture.h"
#include "model/branched_texts.h"
#include "model/checkpoint.h"
#include "model/layer_plan.h"
#include "model/lora.h"
#include "model/parameters.h"
#include "model/rotary.h"
#include "tensor/arena.h"

namespace sgpt {

/// Which parameters are trained, and which of these the weight decay applies to; asked by name. Matrices may have small
/// ones beside them to be trained in their place, which are asked for like all others.
struct TrainedParameters {
  std::function<bool(std::string_view)> trained = [](std::string_view) { return false; };
  std::function<bool(std::string_view)> decayed = [](std::string_view) { return false; };
  Lora lora = {};
};

/// One parameter as it lies in the backend's memory.
struct Parameter {
  ParameterInfo info;
  Matrix value;     ///< f32 for vectors and trained matrices; null for a frozen matrix; any type for a frozen embedding
  Matrix gradient;  ///< f32; null when frozen
  std::unique_ptr<PackedWeight> packed;  ///< matrices only
  bool trained() const { return static_cast<bool>(gradient); }
};

/// What the attention's first matrices make of a batch: one matrix, or three.
struct Projections {
  std::array<Matrix, 3> parts;  // null where there is one
  explicit operator bool() const { return static_cast<bool>(parts[0]); }
};

/// Where the rows of branched texts lie among those of the whole texts, and the other way round.
struct SharedRows {
  PackedTexts row_of_whole;  // of each row of a whole text, its row among the computed ones
  PackedTexts whole_of_row;  // of each computed row, a row of a whole text
};

/// What one layer's backward pass needs of its forward pass. With Keep::inputs x alone.
struct LayerActivations {
  Matrix x;            // [T,d]  the residual stream before norm1
  Matrix x_stats;      // [T,2], of an RMSNorm [T,1], as all stats
  Projections qkv;     // [T,3d], or three; queries and keys with their positions, where they are rotary; before their
                       // norms, where they have any
  Matrix query_stats;  // [T · H, 1]
  Matrix key_stats;    // [T · K, 1]
  Matrix log_sums;     // [T,H]
  Matrix attended;     // [T, H · D]  the attention's output; only where the matrix that follows is trained or adapted
  Matrix attention_out;  // [T,d]  what that matrix made, where it is normed
  Matrix attention_out_stats;
  Matrix middle;            // [T,d]  the residual stream before norm2, where there is one
  Matrix middle_stats;      // [T,2]
  Matrix gated;             // [T,f]  what gate made, where there is one
  Matrix widened;           // [T,f]  what widen made
  Matrix feed_forward_out;  // [T,d]  what narrow made, where it is normed
  Matrix feed_forward_out_stats;
};

/// What backward needs of forward. Views into an arena.
struct Activations {
  Matrix embedded;        // [T,d]  rows of the embedding, before its LayerNorm
  Matrix embedded_stats;  // [T,2]
  std::vector<LayerActivations> layers;
  Matrix last;        // [T,d]  before the last norm
  Matrix last_stats;  // [T,2]
  Matrix hidden;      // [T,d]  after the last norm
};

class Decoder {
 public:
  /// Reads the parameters; frozen matrices are packed from the checkpoint's own type, or read where they lie in it for
  /// every product, so the checkpoint must outlive the model, as must the backend. Throws
  /// UserError when a tensor is missing, has another shape than `config` asks for, or holds a NaN or an infinity.
  /// Matrices are multiplied in `compute`, which the backend must be able to, and which is f32 or bf16 for training;
  /// gradients of matrices are always computed in f32.
  Decoder(Backend& backend, const Checkpoint& checkpoint, const Architecture& config,
          const TrainedParameters& which = {}, ComputeType compute = ComputeType::f32);

  const Architecture& config() const { return config_; }
  const LayerPlan& plan() const { return plan_; }
  Backend& backend() const { return backend_; }

  /// Hidden states [T,d] (f32) after the last norm, taken from the arena. Thread-safe, one arena a thread. Throws
  /// UserError on a text that is longer than the positions that the model has.
  Matrix forward(const PackedTexts& texts, Arena& arena) const;
  /// The same for texts that share beginnings: hidden states [texts.tokens(), d] of stems, then branches. The bits of a
  /// stem depend on itself alone, those of a branch on itself and its stem.
  Matrix forward(const BranchedTexts& texts, Arena& arena) const;
  /// The same bits, and what backward needs is kept in the arena.
  Matrix forward(const PackedTexts& texts, Arena& arena, Activations& kept, Keep keep = Keep::activations) const;
  /// Bytes of what such a pass leaves in the arena for so many tokens.
  std::size_t kept_bytes(std::int64_t tokens, Keep keep) const;
  /// Gradients += those of this batch, from dhidden[T,d] (overwritten). Stops below the lowest trained parameter.
  void backward(const PackedTexts& texts, const Activations& kept, Matrix dhidden, Arena& arena);

  /// A trained parameter's values or gradient (`device`, of its shape), as its checkpoint has them. And back.
  void download(const Parameter& parameter, ConstMatrix device, std::span<float> values) const;
  void upload(const Parameter& parameter, std::span<const float> values, Matrix device) const;

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
  /// A norm's or Linear's two parameters; null where the family has none. And those of LoRA beside a Linear's weight.
  struct Pair {
    const Parameter* weight = nullptr;
    const Parameter* bias = nullptr;
    const Parameter* lora_a = nullptr;
    const Parameter* lora_b = nullptr;
    explicit operator bool() const { return weight != nullptr; }
    bool adapted() const { return lora_a != nullptr; }
    /// Whether backward wants what the Linear was given.
    bool needs_input() const { return weight->trained() || (adapted() && (lora_a->trained() || lora_b->trained())); }
    ConstMatrix bias_value() const { return bias ? bias->value : Matrix(); }
  };
  /// One layer's parameters, in the order in which they are used.
  struct Layer {
    Pair norm1;                       // before the attention
    std::array<Pair, 3> projections;  // one [3d,d], or query [H · D, d], key and value [K · D, d]
    Pair query_norm;                  // of each head, or null
    Pair key_norm;
    Pair out;                         // [d, H · D]
    Pair attention_norm;              // of what out makes, or null
    Pair norm2;                       // before the feed-forward part; null: that reads what the attention reads
    Pair gate;                        // [f,d], or null
    Pair widen;                       // [f,d]
    Pair narrow;                      // [d,f]
    Pair feed_forward_norm;           // of what narrow makes, or null
    const Parameter* last = nullptr;  // that the forward pass uses
    std::int64_t window = 0;          // of the attention
  };
  void lay_out_roles();
  /// Of a layer's parameter, within the last layer that is laid out.
  Pair& pair_of(const ParameterInfo& info);
  Matrix constants(const std::vector<float>& values, std::int64_t rows);

  const Parameter*& slot_of(const ParameterInfo& info);
  void lay_out_trained(const TrainedParameters& which);
  void load(const Checkpoint& checkpoint, const Lora& lora);
  void load_lora(Parameter& parameter, const Lora& lora);
  /// Whether backward has anything to do for parameters used before this one.
  bool trained_before(const Parameter& parameter) const {
    return first_trained_ < static_cast<std::size_t>(&parameter - parameters_.data());
  }

  /// Whether backward has anything to do in a layer or below it; one without keeps nothing.
  bool trained_up_to(const Layer& layer) const { return trained_before(*layer.last) || layer.last->trained(); }

  void require_positions(const PackedTexts& texts) const;
  void embed(const PackedTexts& texts, Matrix x) const;
  Matrix run(const PackedTexts& texts, Arena& arena, Activations* kept, Keep keep) const;
  void run_layer(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix x, LayerActivations* kept,
                 const SharedRows* shared = nullptr) const;
  void run_attention(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix normed, Matrix x,
                     const LayerActivations* kept, const SharedRows* shared = nullptr) const;
  void run_feed_forward(const Layer& layer, Arena& arena, Matrix normed, Matrix x, const LayerActivations* kept) const;
  void add_output(const Pair& matrix, const Pair& norm, ConstMatrix input, Arena& arena, Matrix x, Matrix kept,
                  Matrix stats) const;
  Projections norm_heads(const Layer& layer, const Projections& projections, Arena& arena,
                         const LayerActivations* kept) const;
  void turn(const PackedTexts& texts, const Layer& layer, const Qkv& qkv, bool back) const;
  Matrix heads_as_rows(Matrix part) const { return {part.data, part.size() / config_.head_dim(), config_.head_dim()}; }
  Matrix take_stats(const Pair& norm, std::int64_t rows, Arena& arena) const;
  RmsNorm rms_norm(bool add = false) const {
    return {.eps = config_.layer_norm_eps, .plus = config_.norm_plus, .add = add};
  }
  Projections spread(const Projections& projections, const SharedRows& shared, Arena& arena) const;
  LayerActivations run_again(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix x) const;
  void take_kept(const Layer& layer, std::int64_t tokens, Arena& arena, LayerActivations& kept) const;
  Projections take_projections(const Layer& layer, std::int64_t tokens, Arena& arena) const;
  void norm(const Pair& norm, ConstMatrix x, Matrix y, Matrix stats) const;
  void linear(ConstMatrix x, const Pair& linear, Matrix y, Epilogue epilogue, Arena& arena, Matrix before = {}) const;
  Matrix lora_product(ConstMatrix x, const Parameter& part, bool transposed, Arena& arena) const;
  Qkv heads_of(const Projections& projections) const;
  AttentionOptions attention_options(const Layer& layer) const;

  bool layer_backward(const PackedTexts& texts, const Layer& layer, const LayerActivations& kept, Matrix dx,
                      Arena& arena);
  Projections norm_heads_backward(const Layer& layer, const LayerActivations& kept, const Projections& dnormed,
                                  const Projections& room);
  bool mlp_backward(const Layer& layer, const LayerActivations& kept, ConstMatrix dx, Matrix dnormed, Arena& arena);
  ConstMatrix output_gradient(const Pair& norm, ConstMatrix out, ConstMatrix stats, ConstMatrix dx, Arena& arena);
  bool attention_backward(const PackedTexts& texts, const Layer& layer, const LayerActivations& kept, ConstMatrix dx,
                          Matrix dnormed, Arena& arena);
  void norm_backward(const Pair& norm, ConstMatrix x, ConstMatrix stats, ConstMatrix dy, Matrix dx);
  void linear_backward(const Pair& linear, ConstMatrix dy, const std::function<ConstMatrix()>& input, Matrix dx,
                       bool add, Arena& arena);

  Backend& backend_;
  Architecture config_;
  ComputeType compute_;
  std::vector<Parameter> parameters_;  // in the order in which the forward pass uses them
  Pair token_embedding_, position_embedding_, embedding_norm_, last_norm_;
  std::vector<Layer> layers_;
  std::size_t first_trained_;  // the lowest trained parameter; parameters_.size() when all are frozen
  std::vector<Buffer> buffers_;
  Matrix slopes_;                        // [1,H], where positions are ALiBi's
  std::unique_ptr<Turns> turns_;         // where they are rotary
  std::unique_ptr<Turns> window_turns_;  // of layers with a window, where those have their own
  LayerPlan plan_;
  Matrix trained_values_;
  Matrix trained_gradients_;
  std::int64_t decayed_size_ = 0;
};

}  // namespace sgpt
