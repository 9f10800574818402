// LayerNorm over rows that stay in the first cache: mean, then variance around it, then the result. RMSNorm: the mean
// of squares, then the result.
#include "backend/cpu/simd.h"

#include "backend/cpu/vector_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/layer_norm.cpp"
#include <hwy/foreach_target.h>

#include <cmath>

#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

void layer_norm_some(const LayerNorm& p) {
  const std::int64_t d = p.d;
  const auto count = static_cast<float>(d);
  const float *x = p.x, *weight = p.weight, *bias = p.bias;
  float* y = p.y;
  for (std::int64_t r = 0; r < p.rows; ++r, x += d, y += d) {
    if (p.bias_row_of) bias = p.bias + p.bias_row_of[r] * d;
    Floats sum = broadcast(0);
    for (std::int64_t i = 0; i < d; i += lanes()) sum = hn::Add(sum, load(x + i, d - i));
    const float mean = sum_of(sum) / count;
    Floats squares = broadcast(0);
    for (std::int64_t i = 0; i < d; i += lanes()) {
      const Floats centred = first_lanes(hn::Sub(load(x + i, d - i), broadcast(mean)), d - i);
      squares = hn::MulAdd(centred, centred, squares);
    }
    const float rstd = 1.0f / std::sqrt(sum_of(squares) / count + p.eps);
    for (std::int64_t i = 0; i < d; i += lanes()) {
      const Floats normal = hn::Mul(hn::Sub(load(x + i, d - i), broadcast(mean)), broadcast(rstd));
      store(hn::MulAdd(normal, load(weight + i, d - i), load(bias + i, d - i)), y + i, d - i);
    }
    if (p.stats) {
      p.stats[2 * r] = mean;
      p.stats[2 * r + 1] = rstd;
    }
  }
}

void layer_norm_backward_some(const LayerNormBackward& p) {
  const std::int64_t d = p.d;
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const float *x = p.x + r * d, *dy = p.dy + r * d;
    const Floats mean = broadcast(p.stats[2 * r]), rstd = broadcast(p.stats[2 * r + 1]);
    const auto normal = [&](std::int64_t i) { return hn::Mul(hn::Sub(load(x + i, d - i), mean), rstd); };
    Floats through_mean = broadcast(0), through_variance = broadcast(0);
    for (std::int64_t i = 0; i < d; i += lanes()) {
      const Floats g = load(dy + i, d - i), dnormal = hn::Mul(g, load(p.weight + i, d - i));
      through_mean = hn::Add(through_mean, dnormal);
      through_variance = hn::MulAdd(dnormal, normal(i), through_variance);
      if (p.dweight) store(hn::MulAdd(g, normal(i), load(p.dweight + i, d - i)), p.dweight + i, d - i);
      if (p.dbias) store(hn::Add(g, load(p.dbias + i, d - i)), p.dbias + i, d - i);
    }
    const Floats mean_part = broadcast(sum_of(through_mean) / static_cast<float>(d));
    const Floats variance_part = broadcast(sum_of(through_variance) / static_cast<float>(d));
    float* dx = p.dx + r * d;
    for (std::int64_t i = 0; i < d; i += lanes()) {
      const Floats dnormal = hn::Mul(load(dy + i, d - i), load(p.weight + i, d - i));
      const Floats centred = hn::NegMulAdd(normal(i), variance_part, hn::Sub(dnormal, mean_part));
      store(hn::MulAdd(centred, rstd, load(dx + i, d - i)), dx + i, d - i);
    }
  }
}

void rms_norm_some(const RmsNormRows& p) {
  const std::int64_t d = p.d;
  const Floats plus = broadcast(p.norm.plus);
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * d;
    float* y = p.y + r * d;
    Floats squares = broadcast(0);
    for (std::int64_t i = 0; i < d; i += lanes()) {
      const Floats some = load(x + i, d - i);
      squares = hn::MulAdd(some, some, squares);
    }
    const float rstd = 1.0f / std::sqrt(sum_of(squares) / static_cast<float>(d) + p.norm.eps);
    for (std::int64_t i = 0; i < d; i += lanes()) {
      const Floats normal = hn::Mul(load(x + i, d - i), broadcast(rstd));
      const Floats weighted = hn::Mul(normal, hn::Add(load(p.weight + i, d - i), plus));
      store(p.norm.add ? hn::Add(load(y + i, d - i), weighted) : weighted, y + i, d - i);
    }
    if (p.stats) p.stats[r] = rstd;
  }
}

void rms_norm_backward_some(const RmsNormBackward& p) {
  const std::int64_t d = p.d;
  const Floats plus = broadcast(p.norm.plus);
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const float *x = p.x + r * d, *dy = p.dy + r * d;
    const Floats rstd = broadcast(p.stats[r]);
    const auto normal = [&](std::int64_t i) { return hn::Mul(load(x + i, d - i), rstd); };
    const auto dnormal = [&](std::int64_t i) {
      return hn::Mul(load(dy + i, d - i), hn::Add(load(p.weight + i, d - i), plus));
    };
    Floats through_squares = broadcast(0);
    for (std::int64_t i = 0; i < d; i += lanes()) {
      through_squares = hn::MulAdd(dnormal(i), normal(i), through_squares);
      if (!p.dweight) continue;
      store(hn::MulAdd(load(dy + i, d - i), normal(i), load(p.dweight + i, d - i)), p.dweight + i, d - i);
    }
    const Floats part = broadcast(sum_of(through_squares) / static_cast<float>(d));
    float* dx = p.dx + r * d;
    for (std::int64_t i = 0; i < d; i += lanes()) {
      const Floats centred = hn::NegMulAdd(normal(i), part, dnormal(i));
      store(hn::MulAdd(centred, rstd, load(dx + i, d - i)), dx + i, d - i);
    }
  }
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sgpt::cpu {

HWY_EXPORT(layer_norm_some);
HWY_EXPORT(layer_norm_backward_some);
HWY_EXPORT(rms_norm_some);
HWY_EXPORT(rms_norm_backward_some);

void layer_norm_rows(const LayerNorm& piece) { HWY_DYNAMIC_DISPATCH(layer_norm_some)(piece); }
void layer_norm_backward_rows(const LayerNormBackward& piece) { HWY_DYNAMIC_DISPATCH(layer_norm_backward_some)(piece); }
void rms_norm_rows(const RmsNormRows& piece) { HWY_DYNAMIC_DISPATCH(rms_norm_some)(piece); }
void rms_norm_backward_rows(const RmsNormBackward& piece) { HWY_DYNAMIC_DISPATCH(rms_norm_backward_some)(piece); }

}  // namespace sgpt::cpu
#endif
