// BLOOM's forward pass, once for inference and for training: embedding → LayerNorm → layers → ln_f, with the residual
// stream x in place. In training each layer also keeps what its backward pass needs, or its input to compute it from.
// Letters: T tokens, d hidden, H heads.
#include "model/bloom.h"

namespace sgpt {
namespace {

/// A copy of x for the backward pass.
void keep_copy(Backend& backend, Arena& arena, ConstMatrix x, Matrix& copy) {
  copy = arena.take(x.rows, x.cols, x.type);
  backend.copy(x, copy);
}

}  // namespace

Matrix Bloom::forward(const PackedTexts& texts, Arena& arena) const { return run(texts, arena, nullptr, Keep::inputs); }

Matrix Bloom::forward(const PackedTexts& texts, Arena& arena, Activations& kept, Keep keep) const {
  kept = Activations();
  kept.layers.resize(static_cast<std::size_t>(config_.layers));
  return run(texts, arena, &kept, keep);
}

std::size_t Bloom::kept_bytes(std::int64_t tokens, Keep keep) const {
  const std::int64_t d = config_.hidden;
  std::int64_t floats = 2 * d + 2;  // hidden; last and last_stats
  if (trained_before(layer(0).input_norm.weight)) floats += d + 2;
  for (std::size_t l = 0; l < static_cast<std::size_t>(config_.layers); ++l) {
    const Layer parameters = layer(l);
    if (trained_up_to(parameters)) floats += kept_numbers(config_, keep, parameters.dense.weight.trained());
  }
  return static_cast<std::size_t>(tokens * floats) * sizeof(float);
}

Matrix Bloom::run(const PackedTexts& texts, Arena& arena, Activations* kept, Keep keep) const {
  const std::int64_t T = texts.tokens;
  const Matrix x = arena.take(T, config_.hidden);  // [T,d], the residual stream, in the end the hidden states
  if (T == 0) return x;
  const auto norm_in_place = [&](const Pair& norm, Matrix* before, Matrix* stats) {
    if (before) {
      keep_copy(backend_, arena, x, *before);
      *stats = arena.take(T, 2);
    }
    backend_.layer_norm(x, norm.weight.value, norm.bias.value, config_.layer_norm_eps, x, stats ? *stats : Matrix());
  };

  backend_.embed(texts, parameters_.front().value, x);
  const bool keeps_embedded = kept && trained_before(layer(0).input_norm.weight);
  norm_in_place(embedding_norm(), keeps_embedded ? &kept->embedded : nullptr,
                keeps_embedded ? &kept->embedded_stats : nullptr);
  for (std::size_t l = 0; l < static_cast<std::size_t>(config_.layers); ++l) {
    const Layer parameters = layer(l);
    // Backward stops below the lowest trained parameter, so layers below it keep nothing.
    LayerActivations* kept_layer = kept && trained_up_to(parameters) ? &kept->layers[l] : nullptr;
    if (kept_layer) keep_copy(backend_, arena, x, kept_layer->x);
    if (keep == Keep::inputs) kept_layer = nullptr;
    run_attention(texts, parameters, arena, x, kept_layer);
    if (kept_layer) keep_copy(backend_, arena, x, kept_layer->middle);
    run_mlp(parameters, arena, x, kept_layer);
  }
  norm_in_place(final_norm(), kept ? &kept->last : nullptr, kept ? &kept->last_stats : nullptr);
  if (kept) kept->hidden = x;
  return x;
}

// x += dense(attention(qkv(input_layernorm(x))))
void Bloom::run_attention(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix x,
                          LayerActivations* kept) const {
  const std::int64_t T = texts.tokens;
  const std::int64_t d = config_.hidden;
  const DType type = backend_.activation_type();
  LayerActivations scratch;
  LayerActivations& a = kept ? *kept : scratch;
  if (kept) {
    a.x_stats = arena.take(T, 2);
    a.log_sums = arena.take(T, config_.heads);
    a.qkv = arena.take(T, 3 * d, type);
    if (layer.dense.weight.trained()) a.attended = arena.take(T, d, type);
  }
  const Arena::Scope scope(arena);
  if (!kept) a.qkv = arena.take(T, 3 * d, type);
  const Matrix normed = arena.take(T, d, type);
  backend_.layer_norm(x, layer.input_norm.weight.value, layer.input_norm.bias.value, config_.layer_norm_eps, normed,
                      a.x_stats);
  backend_.linear(normed, *layer.query_key_value.weight.packed, layer.query_key_value.bias.value, a.qkv,
                  Epilogue::none);
  const Matrix attended = a.attended ? a.attended : normed;  // the normed rows are not needed any more
  backend_.attention(texts, a.qkv, slopes_, attended, a.log_sums);
  backend_.linear(attended, *layer.dense.weight.packed, layer.dense.bias.value, x, Epilogue::add);
}

// x += narrow(gelu(widen(post_attention_layernorm(x))))
void Bloom::run_mlp(const Layer& layer, Arena& arena, Matrix x, LayerActivations* kept) const {
  const std::int64_t T = x.rows;
  const std::int64_t d = config_.hidden;
  const DType type = backend_.activation_type();
  LayerActivations scratch;
  LayerActivations& a = kept ? *kept : scratch;
  if (kept) {
    a.middle_stats = arena.take(T, 2);
    a.before_gelu = arena.take(T, 4 * d, type);
  }
  const Arena::Scope scope(arena);
  const Matrix normed = arena.take(T, d, type);
  const Matrix wide = arena.take(T, 4 * d, type);
  backend_.layer_norm(x, layer.post_norm.weight.value, layer.post_norm.bias.value, config_.layer_norm_eps, normed,
                      a.middle_stats);
  backend_.linear(normed, *layer.widen.weight.packed, layer.widen.bias.value, wide, Epilogue::gelu, a.before_gelu);
  backend_.linear(wide, *layer.narrow.weight.packed, layer.narrow.bias.value, x, Epilogue::add);
}

// What run_attention and run_mlp would have kept, from the layer's input: everything but narrow is computed again.
LayerActivations Bloom::run_again(const PackedTexts& texts, const Layer& layer, Arena& arena, Matrix x) const {
  const std::int64_t T = x.rows;
  const std::int64_t d = config_.hidden;
  const DType type = backend_.activation_type();
  LayerActivations a;
  a.x = x;
  keep_copy(backend_, arena, x, a.middle);
  run_attention(texts, layer, arena, a.middle, &a);
  a.middle_stats = arena.take(T, 2);
  a.before_gelu = arena.take(T, 4 * d, type);
  const Arena::Scope scope(arena);
  const Matrix normed = arena.take(T, d, type);
  backend_.layer_norm(a.middle, layer.post_norm.weight.value, layer.post_norm.bias.value, config_.layer_norm_eps,
                      normed, a.middle_stats);
  backend_.linear(normed, *layer.widen.weight.packed, layer.widen.bias.value, a.before_gelu, Epilogue::none);
  return a;
}

}  // namespace sgpt
