// BLOOM's backward pass, the mirror of forward.cpp: from the gradient of the hidden states down to the lowest trained
// parameter. dx is the gradient of the residual stream, changed in place. No gradient is formed for a frozen parameter;
// inputs of trained matrices are computed again from what forward kept, and where it kept a layer's input alone, the
// whole layer.
#include "model/bloom.h"

namespace sgpt {

void Bloom::backward(const PackedTexts& texts, const Activations& kept, Matrix dhidden, Arena& arena) {
  if (first_trained_ == parameters_.size() || texts.tokens == 0) return;
  const Arena::Scope scope(arena);
  const Matrix dx = arena.take(texts.tokens, config_.hidden);  // [T,d]
  backend_.zero(dx);
  norm_backward(final_norm(), kept.last, kept.last_stats, dhidden, dx);
  for (auto l = static_cast<std::size_t>(config_.layers); l-- > 0;) {
    const Layer parameters = layer(l);
    if (!trained_up_to(parameters)) return;
    const Arena::Scope layer_scope(arena);
    const bool whole = static_cast<bool>(kept.layers[l].qkv);
    const LayerActivations activations = whole ? kept.layers[l] : run_again(texts, parameters, arena, kept.layers[l].x);
    if (!mlp_backward(parameters, activations, dx, arena)) return;
    if (!attention_backward(texts, parameters, activations, dx, arena)) return;
  }
  if (!trained_before(layer(0).input_norm.weight)) return;
  const Matrix dembedded = dhidden;  // its gradient is used up
  backend_.zero(dembedded);
  norm_backward(embedding_norm(), kept.embedded, kept.embedded_stats, dx, dembedded);
  const Parameter& embedding = parameters_.front();
  if (embedding.trained()) backend_.embed_backward(texts, dembedded, embedding.gradient);
}

// x_out = x + narrow(gelu(z)), z = widen(post_attention_layernorm(x)). False when nothing below is trained.
bool Bloom::mlp_backward(const Layer& layer, const LayerActivations& kept, Matrix dx, Arena& arena) {
  const Arena::Scope scope(arena);
  const DType type = backend_.activation_type();
  const std::int64_t T = dx.rows;
  const std::int64_t d = config_.hidden;
  linear_parameters_backward(layer.narrow, dx, [&]() -> ConstMatrix {
    const Matrix activated = arena.take(T, 4 * d, type);
    backend_.gelu(kept.before_gelu, activated);
    return activated;
  });
  if (!trained_before(layer.narrow.weight)) return false;
  const Matrix dz = arena.take(T, 4 * d, type);
  backend_.linear_backward_input(dx, *layer.narrow.weight.packed, dz);
  backend_.gelu_backward(kept.before_gelu, dz);
  linear_parameters_backward(layer.widen, dz, [&]() -> ConstMatrix {
    const Matrix normed = arena.take(T, d, type);
    backend_.layer_norm(kept.middle, layer.post_norm.weight.value, layer.post_norm.bias.value, config_.layer_norm_eps,
                        normed, {});
    return normed;
  });
  if (!trained_before(layer.widen.weight)) return false;
  const Matrix dnormed = arena.take(T, d, type);
  backend_.linear_backward_input(dz, *layer.widen.weight.packed, dnormed);
  norm_backward(layer.post_norm, kept.middle, kept.middle_stats, dnormed, dx);
  return trained_before(layer.post_norm.weight);
}

// x_out = x + dense(attention(qkv)), qkv = query_key_value(input_layernorm(x)). False when nothing below is trained.
bool Bloom::attention_backward(const PackedTexts& texts, const Layer& layer, const LayerActivations& kept, Matrix dx,
                               Arena& arena) {
  const Arena::Scope scope(arena);
  const DType type = backend_.activation_type();
  const std::int64_t T = dx.rows;
  const std::int64_t d = config_.hidden;
  linear_parameters_backward(layer.dense, dx, [&]() -> ConstMatrix { return kept.attended; });
  if (!trained_before(layer.dense.weight)) return false;
  const Matrix dattended = arena.take(T, d, type);
  backend_.linear_backward_input(dx, *layer.dense.weight.packed, dattended);
  const Matrix dqkv = arena.take(T, 3 * d, type);
  backend_.attention_backward(texts, kept.qkv, slopes_, kept.log_sums, dattended, dqkv);
  linear_parameters_backward(layer.query_key_value, dqkv, [&]() -> ConstMatrix {
    const Matrix normed = arena.take(T, d, type);
    backend_.layer_norm(kept.x, layer.input_norm.weight.value, layer.input_norm.bias.value, config_.layer_norm_eps,
                        normed, {});
    return normed;
  });
  if (!trained_before(layer.query_key_value.weight)) return false;
  const Matrix dnormed = dattended;  // its gradient is used up
  backend_.linear_backward_input(dqkv, *layer.query_key_value.weight.packed, dnormed);
  norm_backward(layer.input_norm, kept.x, kept.x_stats, dnormed, dx);
  return trained_before(layer.input_norm.weight);
}

// dx +=, and the gradients of weight and bias += where they are trained.
void Bloom::norm_backward(const Pair& norm, ConstMatrix x, ConstMatrix stats, ConstMatrix dy, Matrix dx) {
  backend_.layer_norm_backward(x, stats, norm.weight.value, dy, dx, norm.weight.gradient, norm.bias.gradient);
}

// The gradients of weight and bias += where they are trained; `input` computes what the Linear was given.
void Bloom::linear_parameters_backward(const Pair& linear, ConstMatrix dy, const std::function<ConstMatrix()>& input) {
  if (linear.bias.trained()) backend_.linear_backward_bias(dy, linear.bias.gradient);
  if (linear.weight.trained()) backend_.linear_backward_weight(dy, input(), linear.weight.gradient);
}

}  // namespace sgpt
