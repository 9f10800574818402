#include "bench/profiled_backend.h"

#include <algorithm>

namespace sgpt::bench {
namespace {

double product_flops(std::int64_t rows, std::int64_t inner, std::int64_t cols) {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(inner) * static_cast<double>(cols);
}

/// Of one product of queries with the keys that they see, over all heads.
double attention_flops(const PackedTexts& texts, const AttentionOptions& options) {
  double pairs = 0;
  for (std::int64_t b = 0; b < texts.texts; ++b) {
    const std::int64_t length = texts.offsets[b + 1] - texts.offsets[b];
    const std::int64_t window = options.window > 0 ? std::min(options.window, length) : length;
    // The first queries see 1, 2, … keys, the others a whole window; both ways, as much again but for their own.
    const double before = static_cast<double>(window) * static_cast<double>(window + 1) / 2 +
                          static_cast<double>(length - window) * static_cast<double>(window);
    pairs += options.causal ? before : 2 * before - static_cast<double>(length);
  }
  return 2 * pairs * static_cast<double>(options.heads * options.dim);
}

// Forward multiplies q·k and probabilities·v; backward q·k again, and four more for the gradients.
constexpr double kForwardProducts = 2;
constexpr double kBackwardProducts = 5;

}  // namespace

std::string_view name_of(Work work) {
  switch (work) {
    case Work::products: return "matrix products";
    case Work::products_backward: return "matrix products, backward";
    case Work::products_weight: return "weight gradients";
    case Work::attention: return "attention";
    case Work::attention_backward: return "attention, backward";
    case Work::layer_norm: return "LayerNorm";
    case Work::layer_norm_backward: return "LayerNorm, backward";
    case Work::gelu: return "GELU";
    case Work::bias_gradients: return "bias gradients";
    case Work::embedding: return "embedding, positions";
    case Work::pooling: return "pooling";
    case Work::loss: return "loss";
    case Work::optimiser: return "optimiser";
    case Work::moving: return "copies";
  }
  return "";
}

ProfiledBackend::Stopwatch ProfiledBackend::product(Work work, double flops) {
  WorkDone& done = done_[static_cast<std::size_t>(work)];
  done.flops += flops;
  return Stopwatch(done);
}

ProfiledBackend::Stopwatch ProfiledBackend::pass(Work work, std::size_t bytes) {
  WorkDone& done = done_[static_cast<std::size_t>(work)];
  done.bytes += static_cast<double>(bytes);
  return Stopwatch(done);
}

void ProfiledBackend::upload(ConstMatrix host, Matrix device) {
  const auto watch = pass(Work::moving, 2 * host.bytes());
  inner_->upload(host, device);
}

void ProfiledBackend::download(ConstMatrix device, Matrix host) {
  const auto watch = pass(Work::moving, 2 * host.bytes());
  inner_->download(device, host);
}

void ProfiledBackend::copy(ConstMatrix from, Matrix to) {
  const auto watch = pass(Work::moving, 2 * to.bytes());
  inner_->copy(from, to);
}

void ProfiledBackend::zero(Matrix x) {
  const auto watch = pass(Work::moving, x.bytes());
  inner_->zero(x);
}

void ProfiledBackend::repack(PackedWeight& weight) {
  if (weight.bytes() == 0) return inner_->repack(weight);  // reads the values where they lie
  const auto values = static_cast<std::size_t>(weight.out() * weight.in()) * sizeof(float);
  const auto watch = pass(Work::optimiser, values + weight.bytes());
  inner_->repack(weight);
}

void ProfiledBackend::embed(const PackedTexts& texts, ConstMatrix table, Matrix x, float factor) {
  const auto watch = pass(Work::embedding, 2 * x.bytes());
  inner_->embed(texts, table, x, factor);
}

void ProfiledBackend::embed_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable, float factor) {
  const auto watch = pass(Work::embedding, 3 * dx.bytes());
  inner_->embed_backward(texts, dx, dtable, factor);
}

void ProfiledBackend::add_positions(const PackedTexts& texts, ConstMatrix table, Matrix x) {
  const auto watch = pass(Work::embedding, 3 * x.bytes());
  inner_->add_positions(texts, table, x);
}

void ProfiledBackend::add_positions_backward(const PackedTexts& texts, ConstMatrix dx, Matrix dtable) {
  const auto watch = pass(Work::embedding, 3 * dx.bytes());
  inner_->add_positions_backward(texts, dx, dtable);
}

void ProfiledBackend::layer_norm(ConstMatrix x, ConstMatrix weight, const Bias& bias, float eps, Matrix y,
                                 Matrix stats) {
  const auto watch = pass(Work::layer_norm, x.bytes() + y.bytes());
  inner_->layer_norm(x, weight, bias, eps, y, stats);
}

void ProfiledBackend::layer_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, ConstMatrix dy,
                                          Matrix dx, Matrix dweight, Matrix dbias) {
  const auto watch = pass(Work::layer_norm_backward, x.bytes() + dy.bytes() + 2 * dx.bytes());
  inner_->layer_norm_backward(x, stats, weight, dy, dx, dweight, dbias);
}

void ProfiledBackend::rms_norm(ConstMatrix x, ConstMatrix weight, const RmsNorm& norm, Matrix y, Matrix stats) {
  const auto watch = pass(Work::layer_norm, x.bytes() + (norm.add ? 2 : 1) * y.bytes());
  inner_->rms_norm(x, weight, norm, y, stats);
}

void ProfiledBackend::rms_norm_backward(ConstMatrix x, ConstMatrix stats, ConstMatrix weight, const RmsNorm& norm,
                                        ConstMatrix dy, Matrix dx, Matrix dweight) {
  const auto watch = pass(Work::layer_norm_backward, x.bytes() + dy.bytes() + 2 * dx.bytes());
  inner_->rms_norm_backward(x, stats, weight, norm, dy, dx, dweight);
}

void ProfiledBackend::linear(ConstMatrix x, const PackedWeight& weight, const Bias& bias, Matrix y, Epilogue epilogue,
                             Matrix before) {
  const auto watch = product(Work::products, product_flops(x.rows, weight.in(), weight.out()));
  inner_->linear(x, weight, bias, y, epilogue, before);
}

void ProfiledBackend::linear_backward_input(ConstMatrix dy, const PackedWeight& weight, Matrix dx, bool add) {
  const auto watch = product(Work::products_backward, product_flops(dy.rows, weight.out(), weight.in()));
  inner_->linear_backward_input(dy, weight, dx, add);
}

void ProfiledBackend::linear_backward_weight(ConstMatrix dy, ConstMatrix x, Matrix dweight, ComputeType type) {
  const auto watch = product(Work::products_weight, product_flops(dy.cols, dy.rows, x.cols));
  inner_->linear_backward_weight(dy, x, dweight, type);
}

void ProfiledBackend::linear_backward_bias(ConstMatrix dy, Matrix dbias) {
  const auto watch = pass(Work::bias_gradients, dy.bytes());
  inner_->linear_backward_bias(dy, dbias);
}

void ProfiledBackend::gelu(ConstMatrix z, Matrix y) {
  const auto watch = pass(Work::gelu, z.bytes() + y.bytes());
  inner_->gelu(z, y);
}

void ProfiledBackend::gelu_backward(ConstMatrix z, Matrix dy) {
  const auto watch = pass(Work::gelu, z.bytes() + 2 * dy.bytes());
  inner_->gelu_backward(z, dy);
}

void ProfiledBackend::gate(Activation activation, ConstMatrix a, ConstMatrix u, Matrix y) {
  const auto watch = pass(Work::gelu, 3 * a.bytes());
  inner_->gate(activation, a, u, y);
}

void ProfiledBackend::gate_backward(Activation activation, ConstMatrix a, ConstMatrix u, Matrix dy, Matrix da) {
  const auto watch = pass(Work::gelu, 5 * a.bytes());
  inner_->gate_backward(activation, a, u, dy, da);
}

void ProfiledBackend::rotate(const PackedTexts& texts, Heads x, std::int64_t heads, ConstMatrix turns, Pairing pairing,
                             bool back) {
  const auto turned = static_cast<std::size_t>(texts.tokens * heads * turns.cols) * sizeof(float);
  const auto watch = pass(Work::embedding, 2 * turned);
  inner_->rotate(texts, x, heads, turns, pairing, back);
}

void ProfiledBackend::attention(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options,
                                Matrix y, Matrix log_sums) {
  const auto watch = product(Work::attention, kForwardProducts * attention_flops(texts, options));
  inner_->attention(texts, qkv, options, y, log_sums);
}

void ProfiledBackend::attention_backward(const PackedTexts& texts, const ConstQkv& qkv, const AttentionOptions& options,
                                         ConstMatrix log_sums, ConstMatrix dy, const Qkv& dqkv) {
  const auto watch = product(Work::attention_backward, kBackwardProducts * attention_flops(texts, options));
  inner_->attention_backward(texts, qkv, options, log_sums, dy, dqkv);
}

void ProfiledBackend::pool(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes, Matrix e) {
  const auto watch = pass(Work::pooling, h.bytes() + e.bytes());
  inner_->pool(texts, h, modes, e);
}

void ProfiledBackend::pool_backward(const PackedTexts& texts, ConstMatrix h, std::span<const PoolingMode> modes,
                                    ConstMatrix de, Matrix dh) {
  const auto watch = pass(Work::pooling, dh.bytes() + de.bytes());
  inner_->pool_backward(texts, h, modes, de, dh);
}

void ProfiledBackend::normalize_rows(ConstMatrix x, Matrix y, Matrix norms) {
  const auto watch = pass(Work::loss, x.bytes() + y.bytes());
  inner_->normalize_rows(x, y, norms);
}

void ProfiledBackend::normalize_rows_backward(ConstMatrix y, ConstMatrix norms, ConstMatrix dy, Matrix dx) {
  const auto watch = pass(Work::loss, y.bytes() + dy.bytes() + dx.bytes());
  inner_->normalize_rows_backward(y, norms, dy, dx);
}

void ProfiledBackend::matmul(ConstMatrix a, bool transpose_a, ConstMatrix b, bool transpose_b, float alpha, Matrix c) {
  const auto watch = product(Work::loss, product_flops(c.rows, transpose_a ? a.rows : a.cols, c.cols));
  inner_->matmul(a, transpose_a, b, transpose_b, alpha, c);
}

double ProfiledBackend::cross_entropy(Matrix scores, std::span<const std::int32_t> labels) {
  const auto watch = pass(Work::loss, 2 * scores.bytes());
  return inner_->cross_entropy(scores, labels);
}

double ProfiledBackend::sum_of_squares(ConstMatrix x) {
  const auto watch = pass(Work::optimiser, x.bytes());
  return inner_->sum_of_squares(x);
}

void ProfiledBackend::adamw(const AdamW& options, ConstMatrix gradient, Matrix parameter, Matrix m, Matrix v) {
  const auto watch = pass(Work::optimiser, gradient.bytes() + 2 * (parameter.bytes() + m.bytes() + v.bytes()));
  inner_->adamw(options, gradient, parameter, m, v);
}

}  // namespace sgpt::bench
