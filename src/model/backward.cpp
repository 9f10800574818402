// A decoder's backward pass, the mirror of forward.cpp: from the gradient of the hidden states down to the lowest
// trained parameter. dx is the gradient of the residual stream, changed in place. No gradient is formed for a frozen
// parameter; inputs of trained matrices are computed again from what forward kept, and where it kept a layer's input
// alone, the whole layer.
#include "model/decoder.h"

namespace sgpt {

void Decoder::backward(const PackedTexts& texts, const Activations& kept, Matrix dhidden, Arena& arena) {
  if (first_trained_ == parameters_.size() || texts.tokens == 0) return;
  const Arena::Scope scope(arena);
  const Matrix dx = arena.take(texts.tokens, config_.hidden);  // [T,d]
  backend_.zero(dx);
  norm_backward(last_norm_, kept.last, kept.last_stats, dhidden, dx);
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const Layer& layer = layers_[l];
    if (!trained_up_to(layer)) return;
    const Arena::Scope layer_scope(arena);
    const bool whole = static_cast<bool>(kept.layers[l].qkv);
    const LayerActivations activations = whole ? kept.layers[l] : run_again(texts, layer, arena, kept.layers[l].x);
    if (!layer_backward(texts, layer, activations, dx, arena)) return;
  }
  if (!trained_before(*layers_.front().norm1.weight)) return;
  Matrix dembedded = dx;  // [T,d]
  if (embedding_norm_) {
    dembedded = dhidden;  // its gradient is used up
    backend_.zero(dembedded);
    norm_backward(embedding_norm_, kept.embedded, kept.embedded_stats, dx, dembedded);
  }
  if (position_embedding_ && position_embedding_.weight->trained()) {
    backend_.add_positions_backward(texts, dembedded, position_embedding_.weight->gradient);
  }
  if (token_embedding_.weight->trained()) {
    backend_.embed_backward(texts, dembedded, token_embedding_.weight->gradient, config_.embedding_factor);
  }
}

// The gradient of what run_layer computes: dx += that which goes through its parts. False when nothing below is
// trained.
bool Decoder::layer_backward(const PackedTexts& texts, const Layer& layer, const LayerActivations& kept, Matrix dx,
                             Arena& arena) {
  const Arena::Scope scope(arena);
  const Matrix dnormed = arena.take(dx.rows, config_.hidden, backend_.activation_type());  // [T,d]
  if (!mlp_backward(layer, kept, dx, dnormed, arena)) return false;
  if (layer.norm2) {
    norm_backward(layer.norm2, kept.middle, kept.middle_stats, dnormed, dx);
    if (!trained_before(*layer.norm2.weight)) return false;
  }
  if (!attention_backward(texts, layer, kept, dx, dnormed, arena)) return false;
  norm_backward(layer.norm1, kept.x, kept.x_stats, dnormed, dx);
  return trained_before(*layer.norm1.weight);
}

// dnormed = the gradient at the norm's output that goes through run_feed_forward. False when nothing below is trained.
bool Decoder::mlp_backward(const Layer& layer, const LayerActivations& kept, ConstMatrix dx, Matrix dnormed,
                           Arena& arena) {
  const Arena::Scope scope(arena);
  const DType type = backend_.activation_type();
  const std::int64_t T = dx.rows;
  const ConstMatrix dout =
      output_gradient(layer.feed_forward_norm, kept.feed_forward_out, kept.feed_forward_out_stats, dx, arena);
  if (!dout) return false;
  const auto activated = [&]() -> ConstMatrix {  // [T,f]
    const Matrix result = arena.take(T, config_.inner, type);
    if (layer.gate) {
      backend_.gate(config_.activation, kept.gated, kept.widened, result);
    } else {
      backend_.gelu(kept.widened, result);
    }
    return result;
  };
  const bool below = trained_before(*layer.narrow.weight);
  const Matrix dz = below ? arena.take(T, config_.inner, type) : Matrix();  // [T,f], of what widen made
  linear_backward(layer.narrow, dout, activated, dz, false, arena);
  if (!below) return false;
  Matrix da;  // [T,f], of what gate made
  if (layer.gate) {
    da = arena.take(T, config_.inner, type);
    backend_.gate_backward(config_.activation, kept.gated, kept.widened, dz, da);
  } else {
    backend_.gelu_backward(kept.widened, dz);
  }
  Matrix normed;  // [T,d]
  const auto input = [&]() -> ConstMatrix {
    if (!normed) {
      normed = arena.take(T, config_.hidden, type);
      norm(layer.norm2 ? layer.norm2 : layer.norm1, layer.norm2 ? kept.middle : kept.x, normed, {});
    }
    return normed;
  };
  const bool on = trained_before(*(layer.gate ? layer.gate : layer.widen).weight);
  linear_backward(layer.widen, dz, input, on ? dnormed : Matrix(), false, arena);
  if (layer.gate) linear_backward(layer.gate, da, input, on ? dnormed : Matrix(), true, arena);
  return on;
}

// [T,d] of what a part's last matrix made: dx, or, where that was normed before it was added, the gradient through the
// norm; null when nothing below the norm is trained.
ConstMatrix Decoder::output_gradient(const Pair& norm, ConstMatrix out, ConstMatrix stats, ConstMatrix dx,
                                     Arena& arena) {
  if (!norm) return dx;
  const Matrix dout = arena.take(dx.rows, dx.cols);
  backend_.zero(dout);
  norm_backward(norm, out, stats, dx, dout);
  if (!trained_before(*norm.weight)) return {};
  return dout;
}

// dnormed = the gradient at norm1's output that goes through out(attention(projections(normed))), or, without a norm2,
// += to that of the feed-forward part. False when nothing below is trained.
bool Decoder::attention_backward(const PackedTexts& texts, const Layer& layer, const LayerActivations& kept,
                                 ConstMatrix dx, Matrix dnormed, Arena& arena) {
  const Arena::Scope scope(arena);
  const DType type = backend_.activation_type();
  const std::int64_t T = dx.rows;
  const ConstMatrix dout =
      output_gradient(layer.attention_norm, kept.attention_out, kept.attention_out_stats, dx, arena);
  if (!dout) return false;
  const bool below = trained_before(*layer.out.weight);
  const Matrix dattended = below ? arena.take(T, config_.query_width(), type) : Matrix();  // [T, H · D]
  linear_backward(
      layer.out, dout, [&]() -> ConstMatrix { return kept.attended; }, dattended, false, arena);
  if (!below) return false;
  // Norms of heads are computed again, and then the turns, which were not kept.
  const Projections used = norm_heads(layer, kept.qkv, arena, &kept);
  if (layer.query_norm) turn(texts, layer, heads_of(used), false);
  Projections dprojections = take_projections(layer, T, arena);
  const Qkv dqkv = heads_of(dprojections);
  backend_.attention_backward(texts, heads_of(used), attention_options(layer), kept.log_sums, dattended, dqkv);
  turn(texts, layer, dqkv, true);
  if (layer.query_norm) dprojections = norm_heads_backward(layer, kept, dprojections, used);
  Matrix normed;  // [T,d]
  const auto input = [&]() -> ConstMatrix {
    if (!normed) {
      normed = arena.take(T, config_.hidden, type);
      norm(layer.norm1, kept.x, normed, {});
    }
    return normed;
  };
  const bool on = trained_before(*layer.projections.front().weight);
  for (std::size_t i = 0; i < layer.projections.size() && layer.projections[i]; ++i) {
    linear_backward(layer.projections[i], dprojections.parts[i], input, on ? dnormed : Matrix(), i > 0 || !layer.norm2,
                    arena);
  }
  return on;
}

// The gradients of queries and keys before their norms, in `room`, and of the norms' weights += where they are trained.
Projections Decoder::norm_heads_backward(const Layer& layer, const LayerActivations& kept, const Projections& dnormed,
                                         const Projections& room) {
  Projections result = dnormed;
  const auto part_backward = [&](std::size_t i, const Pair& norm, ConstMatrix stats) {
    result.parts[i] = room.parts[i];
    backend_.zero(result.parts[i]);
    backend_.rms_norm_backward(heads_as_rows(kept.qkv.parts[i]), stats, norm.weight->value, rms_norm(),
                               heads_as_rows(dnormed.parts[i]), heads_as_rows(result.parts[i]), norm.weight->gradient);
  };
  part_backward(0, layer.query_norm, kept.query_stats);
  part_backward(1, layer.key_norm, kept.key_stats);
  return result;
}

// dx +=, and the gradients of weight and bias += where they are trained.
void Decoder::norm_backward(const Pair& norm, ConstMatrix x, ConstMatrix stats, ConstMatrix dy, Matrix dx) {
  if (!norm.bias) {
    return backend_.rms_norm_backward(x, stats, norm.weight->value, rms_norm(), dy, dx, norm.weight->gradient);
  }
  backend_.layer_norm_backward(x, stats, norm.weight->value, dy, dx, norm.weight->gradient, norm.bias->gradient);
}

// The gradients of weight, bias, A and B += where they are trained; `input` computes what the Linear was given. Where
// dx is asked for, dx = dy W + s · (dy B) A, or += where `add` says so. x Aᵀ is computed again: it is r numbers a
// token.
void Decoder::linear_backward(const Pair& linear, ConstMatrix dy, const std::function<ConstMatrix()>& input, Matrix dx,
                              bool add, Arena& arena) {
  if (linear.bias && linear.bias->trained()) backend_.linear_backward_bias(dy, linear.bias->gradient);
  const ComputeType type = compute_ == ComputeType::int8 ? ComputeType::f32 : compute_;
  if (linear.weight->trained()) backend_.linear_backward_weight(dy, input(), linear.weight->gradient, type);
  if (dx) backend_.linear_backward_input(dy, *linear.weight->packed, dx, add);
  if (!linear.adapted()) return;
  const ConstMatrix x = linear.needs_input() ? input() : ConstMatrix();
  const Arena::Scope scope(arena);
  const Matrix du = lora_product(dy, *linear.lora_b, false, arena);  // [T,r], of x Aᵀ
  if (linear.lora_b->trained()) {
    backend_.linear_backward_weight(dy, lora_product(x, *linear.lora_a, true, arena), linear.lora_b->gradient);
  }
  if (linear.lora_a->trained()) backend_.linear_backward_weight(du, x, linear.lora_a->gradient);
  if (dx) backend_.linear_backward_input(du, *linear.lora_a->packed, dx, true);
}

}  // namespace sgpt
