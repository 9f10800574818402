// A decoder's forward pass, once for inference and for training: embedding → layers → last norm, with the residual
// stream x in place. In training each layer also keeps what its backward pass needs, or its input to compute it from.
// A part that a family has no parameters for is left out. Letters: T tokens, d hidden, f feed-forward, H heads.
#include <fmt/format.h>

#include "model/decoder.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// A copy of x for the backward pass.
void keep_copy(Backend& backend, Arena& arena, ConstMatrix x, Matrix& copy) {
  copy = arena.take(x.rows, x.cols, x.type);
  backend.copy(x, copy);
}

}  // namespace

Matrix Decoder::forward(const PackedTexts& texts, Arena& arena) const {
  return run(texts, arena, nullptr, Keep::inputs);
}

Matrix Decoder::forward(const PackedTexts& texts, Arena& arena, Activations& kept, Keep keep) const {
  kept = Activations();
  kept.layers.resize(layers_.size());
  return run(texts, arena, &kept, keep);
}

std::size_t Decoder::kept_bytes(std::int64_t tokens, Keep keep) const {
  std::int64_t bytes = plan_.kept_last;
  if (trained_before(*layers_.front().norm1.weight)) bytes += plan_.kept_embedded;
  for (const Layer& layer : layers_) {
    if (trained_up_to(layer)) bytes += plan_.kept_of_layer(keep, layer.out.needs_input());
  }
  return static_cast<std::size_t>(tokens * bytes);
}

void Decoder::require_positions(const PackedTexts& texts) const {
  if (config_.longest_text == 0 || texts.longest <= config_.longest_text) return;
  throw UserError(fmt::format("a text has {} tokens, but the model has positions for {} only", texts.longest,
                              config_.longest_text));
}

void Decoder::embed(const PackedTexts& texts, Matrix x) const {
  backend_.embed(texts, token_embedding_.weight->value, x, config_.embedding_factor);
  if (position_embedding_) backend_.add_positions(texts, position_embedding_.weight->value, x);
}

Matrix Decoder::run(const PackedTexts& texts, Arena& arena, Activations* kept, Keep keep) const {
  const std::int64_t T = texts.tokens;
  require_positions(texts);
  const Matrix x = arena.take(T, config_.hidden);  // [T,d], the residual stream, in the end the hidden states
  if (T == 0) return x;
  const auto norm_in_place = [&](const Pair& pair, Matrix* before, Matrix* stats) {
    if (before) {
      keep_copy(backend_, arena, x, *before);
      *stats = take_stats(pair, T, arena);
    }
    norm(pair, x, x, stats ? *stats : Matrix());
  };

  embed(texts, x);
  if (embedding_norm_) {
    const bool keeps_embedded = kept && trained_before(*layers_.front().norm1.weight);
    norm_in_place(embedding_norm_, keeps_embedded ? &kept->embedded : nullptr,
                  keeps_embedded ? &kept->embedded_stats : nullptr);
  }
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    // Backward stops below the lowest trained parameter, so layers below it keep nothing.
    LayerActivations* kept_layer = kept && trained_up_to(layer) ? &kept->layers[l] : nullptr;
    if (kept_layer) keep_copy(backend_, arena, x, kept_layer->x);
    if (keep == Keep::inputs) kept_layer = nullptr;
    if (kept_layer) take_kept(layer, T, arena, *kept_layer);
    run_layer(texts, layer, arena, x, kept_layer);
  }
  norm_in_place(last_norm_, kept ? &kept->last : nullptr, kept ? &kept->last_stats : nullptr);
  if (kept) kept->hidden = x;
  return x;
}

// x += out(attention(norm1(x))), then x += narrow(act(widen(norm2(x)))). Without a norm2 both parts read norm1(x).
void Decoder::run_layer(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix x, LayerActivations* kept,
                        const SharedRows* shared) const {
  const Arena::Scope scope(arena);
  const Matrix normed = arena.take(x.rows, config_.hidden, backend_.activation_type());  // [T,d]
  norm(layer.norm1, x, normed, kept ? kept->x_stats : Matrix());
  run_attention(texts, layer, arena, normed, x, kept, shared);
  if (layer.norm2) {
    if (kept) backend_.copy(x, kept->middle);
    norm(layer.norm2, x, normed, kept ? kept->middle_stats : Matrix());
  }
  run_feed_forward(layer, arena, normed, x, kept);
}

// x += out(attention(projections(normed))); without x the output is not asked for, only what is kept. normed may be
// written over where nothing else reads it. Rows that texts share are projected once and attended from in each.
void Decoder::run_attention(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix normed, Matrix x,
                            const LayerActivations* kept, const SharedRows* shared) const {
  const Arena::Scope scope(arena);
  const DType type = backend_.activation_type();
  const std::int64_t T = normed.rows, wide = config_.query_width();
  Projections projections = kept ? kept->qkv : take_projections(layer, T, arena);
  for (std::size_t i = 0; i < layer.projections.size() && layer.projections[i]; ++i) {
    linear(normed, layer.projections[i], projections.parts[i], Epilogue::none, arena);
  }
  projections = norm_heads(layer, projections, arena, kept);
  if (shared) projections = spread(projections, *shared, arena);
  const Qkv qkv = heads_of(projections);
  turn(texts, layer, qkv, false);
  const bool room = layer.norm2 && wide == config_.hidden;
  const Matrix attended = kept && kept->attended ? kept->attended  // [T, H · D]
                          : room                 ? normed
                                                 : arena.take(T, wide, type);
  const Matrix of_whole = shared ? arena.take(texts.tokens, wide, attended.type) : attended;
  backend_.attention(texts, qkv, attention_options(layer), of_whole, kept ? kept->log_sums : Matrix());
  if (shared) backend_.embed(shared->whole_of_row, of_whole, attended);
  if (!x) return;
  add_output(layer.out, layer.attention_norm, attended, arena, x, kept ? kept->attention_out : Matrix(),
             kept ? kept->attention_out_stats : Matrix());
}

// x += narrow(act(widen(normed))), or narrow(act(gate(normed)) · widen(normed)). What an adapted matrix makes is a sum
// of two products, so that the activation has a pass of its own.
void Decoder::run_feed_forward(const Layer& layer, Arena& arena, Matrix normed, Matrix x,
                               const LayerActivations* kept) const {
  const Arena::Scope scope(arena);
  const Epilogue activation = config_.activation == Activation::silu ? Epilogue::silu : Epilogue::gelu;
  // Read by one product alone, but where it is multiplied by a gate or adapted.
  const bool read_once = !layer.gate && !layer.widen.adapted() && !layer.narrow.adapted();
  const DType type = read_once ? backend_.input_type(compute_) : backend_.activation_type();
  const Matrix wide = arena.take(x.rows, config_.inner, type);  // [T,f]
  const Matrix gated = kept ? kept->gated : Matrix(), widened = kept ? kept->widened : Matrix();
  if (!layer.gate && layer.widen.adapted()) {
    const Matrix z = widened ? widened : wide;
    linear(normed, layer.widen, z, Epilogue::none, arena);
    backend_.gelu(z, wide);
  } else if (layer.gate && (layer.gate.adapted() || layer.widen.adapted())) {
    const Matrix a = gated ? gated : wide;
    const Matrix u = widened ? widened : arena.take(wide.rows, wide.cols, wide.type);
    linear(normed, layer.gate, a, Epilogue::none, arena);
    linear(normed, layer.widen, u, Epilogue::none, arena);
    backend_.gate(config_.activation, a, u, wide);
  } else {
    if (layer.gate) linear(normed, layer.gate, wide, activation, arena, gated);
    linear(normed, layer.widen, wide, layer.gate ? Epilogue::multiply : activation, arena, widened);
  }
  add_output(layer.narrow, layer.feed_forward_norm, wide, arena, x, kept ? kept->feed_forward_out : Matrix(),
             kept ? kept->feed_forward_out_stats : Matrix());
}

// x += matrix(input), or its norm, where there is one; then `kept` gets what is normed, and `stats`.
void Decoder::add_output(const Pair& matrix, const Pair& norm, ConstMatrix input, Arena& arena, Matrix x, Matrix kept,
                         Matrix stats) const {
  if (!norm) return linear(input, matrix, x, Epilogue::add, arena);
  const Arena::Scope scope(arena);
  const Matrix out = kept ? kept : arena.take(x.rows, x.cols);  // [T,d]
  linear(input, matrix, out, Epilogue::none, arena);
  backend_.rms_norm(out, norm.weight->value, rms_norm(true), x, stats);
}

// The norms of each head's query and key, in place, or beside what was kept, which stays as it is.
Projections Decoder::norm_heads(const Layer& layer, const Projections& projections, Arena& arena,
                                const LayerActivations* kept) const {
  if (!layer.query_norm) return projections;
  Projections normed = projections;
  const auto norm_part = [&](std::size_t i, const Pair& norm, Matrix stats) {
    const Matrix part = projections.parts[i];
    if (kept) normed.parts[i] = arena.take(part.rows, part.cols, part.type);
    backend_.rms_norm(heads_as_rows(part), norm.weight->value, rms_norm(), heads_as_rows(normed.parts[i]), stats);
  };
  norm_part(0, layer.query_norm, kept ? kept->query_stats : Matrix());
  norm_part(1, layer.key_norm, kept ? kept->key_stats : Matrix());
  return normed;
}

// Queries and keys by their positions, where those are rotary, or their gradients back.
void Decoder::turn(const PackedTexts& texts, const Layer& layer, const Qkv& qkv, bool back) const {
  if (!turns_) return;
  const Turns& turns = layer.window > 0 && window_turns_ ? *window_turns_ : *turns_;
  const ConstMatrix rows = turns.rows(texts.longest);
  backend_.rotate(texts, qkv.query, config_.heads, rows, config_.pairing, back);
  backend_.rotate(texts, qkv.key, config_.key_heads(), rows, config_.pairing, back);
}

// What run_layer would have kept, from the layer's input: everything but narrow is computed again, and that too where
// its output is normed.
LayerActivations Decoder::run_again(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix x) const {
  LayerActivations a;
  a.x = x;
  take_kept(layer, x.rows, arena, a);
  const Arena::Scope scope(arena);
  const Matrix normed = arena.take(x.rows, config_.hidden, backend_.activation_type());
  norm(layer.norm1, x, normed, a.x_stats);
  if (layer.norm2) backend_.copy(x, a.middle);
  run_attention(texts, layer, arena, normed, a.middle, &a);
  if (layer.norm2) norm(layer.norm2, a.middle, normed, a.middle_stats);
  if (layer.feed_forward_norm) {
    const Matrix unused = arena.take(x.rows, config_.hidden);
    backend_.zero(unused);
    run_feed_forward(layer, arena, normed, unused, &a);
    return a;
  }
  if (layer.gate) linear(normed, layer.gate, a.gated, Epilogue::none, arena);
  linear(normed, layer.widen, a.widened, Epilogue::none, arena);
  return a;
}

// Room for all that a layer keeps beside its input.
void Decoder::take_kept(const Layer& layer, std::int64_t tokens, Arena& arena, LayerActivations& kept) const {
  const DType type = backend_.activation_type();
  kept.x_stats = take_stats(layer.norm1, tokens, arena);
  kept.qkv = take_projections(layer, tokens, arena);
  if (layer.query_norm) {
    kept.query_stats = arena.take(tokens * config_.heads, 1);
    kept.key_stats = arena.take(tokens * config_.key_heads(), 1);
  }
  kept.log_sums = arena.take(tokens, config_.heads);
  if (layer.out.needs_input()) kept.attended = arena.take(tokens, config_.query_width(), type);
  if (layer.attention_norm) {
    kept.attention_out = arena.take(tokens, config_.hidden);
    kept.attention_out_stats = take_stats(layer.attention_norm, tokens, arena);
  }
  if (layer.norm2) {
    kept.middle = arena.take(tokens, config_.hidden);
    kept.middle_stats = take_stats(layer.norm2, tokens, arena);
  }
  if (layer.gate) kept.gated = arena.take(tokens, config_.inner, type);
  kept.widened = arena.take(tokens, config_.inner, type);
  if (layer.feed_forward_norm) {
    kept.feed_forward_out = arena.take(tokens, config_.hidden);
    kept.feed_forward_out_stats = take_stats(layer.feed_forward_norm, tokens, arena);
  }
}

// Of a LayerNorm mean and deviation, of an RMSNorm the latter.
Matrix Decoder::take_stats(const Pair& norm, std::int64_t rows, Arena& arena) const {
  return arena.take(rows, norm.bias ? 2 : 1);
}

Projections Decoder::take_projections(const Layer& layer, std::int64_t tokens, Arena& arena) const {
  Projections projections;
  for (std::size_t i = 0; i < layer.projections.size() && layer.projections[i]; ++i) {
    projections.parts[i] = arena.take(tokens, layer.projections[i].weight->info.rows, backend_.activation_type());
  }
  return projections;
}

// Where the heads lie in what the projections made.
Qkv Decoder::heads_of(const Projections& projections) const {
  const std::int64_t d = config_.hidden, dim = config_.head_dim();
  const auto& [first, second, third] = projections.parts;
  switch (config_.head_layout) {
    case HeadLayout::side_by_side: return {{first, 0, 3 * dim}, {first, dim, 3 * dim}, {first, 2 * dim, 3 * dim}};
    case HeadLayout::in_thirds: return {{first, 0, dim}, {first, d, dim}, {first, 2 * d, dim}};
    case HeadLayout::apart: break;
  }
  return {{first, 0, dim}, {second, 0, dim}, {third, 0, dim}};
}

AttentionOptions Decoder::attention_options(const Layer& layer) const {
  return {.heads = config_.heads,
          .dim = config_.head_dim(),
          .scale = config_.score_scale,
          .slopes = slopes_,
          .window = layer.window,
          .key_heads = config_.key_heads(),
          .causal = config_.causal,
          .type = compute_ == ComputeType::bf16 ? ComputeType::bf16 : ComputeType::f32};
}

void Decoder::norm(const Pair& norm, ConstMatrix x, Matrix y, Matrix stats) const {
  if (!norm.bias) return backend_.rms_norm(x, norm.weight->value, rms_norm(), y, stats);
  backend_.layer_norm(x, norm.weight->value, norm.bias->value, config_.layer_norm_eps, y, stats);
}

// y = x Wᵀ + b with its epilogue; of an adapted matrix, whose epilogue is none or add, y += s · (x Aᵀ) Bᵀ.
void Decoder::linear(ConstMatrix x, const Pair& linear, Matrix y, Epilogue epilogue, Arena& arena,
                     Matrix before) const {
  backend_.linear(x, *linear.weight->packed, linear.bias_value(), y, epilogue, before);
  if (!linear.adapted()) return;
  const Arena::Scope scope(arena);
  backend_.linear(lora_product(x, *linear.lora_a, true, arena), *linear.lora_b->packed, {}, y, Epilogue::add);
}

// [T,r]: s · x Aᵀ of what is given to a matrix (transposed), or s · dy B of the gradient at its output.
Matrix Decoder::lora_product(ConstMatrix x, const Parameter& part, bool transposed, Arena& arena) const {
  const Matrix product = arena.take(x.rows, transposed ? part.info.rows : part.info.cols);
  backend_.matmul(x, false, part.value, transposed, part.info.lora_scale, product);
  return product;
}

}  // namespace sgpt
