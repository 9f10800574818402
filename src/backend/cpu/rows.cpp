// Small kernels over one row: conversion, sums, dot products.
#include "backend/cpu/simd.h"

#include "backend/cpu/vector_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows.cpp"
#include <hwy/foreach_target.h>

#include <cstring>

#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

void convert_n(const void* from, DType type, std::int64_t n, float* to) {
  const F f;
  std::int64_t i = 0;
  const auto* half = static_cast<const std::uint16_t*>(from);
  if (type == DType::bf16) {
    const hn::Rebind<std::uint16_t, F> u16;
    const hn::RebindToUnsigned<F> u32;
    for (; i + lanes() <= n; i += lanes()) {
      hn::StoreU(hn::BitCast(f, hn::ShiftLeft<16>(hn::PromoteTo(u32, hn::LoadU(u16, half + i)))), f, to + i);
    }
    for (; i < n; ++i) to[i] = float_from_bf16(half[i]);
  } else if (type == DType::f16) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64
    const hn::Rebind<hwy::float16_t, F> f16;
    for (; i + lanes() <= n; i += lanes()) {
      hn::StoreU(hn::PromoteTo(f, hn::LoadU(f16, static_cast<const hwy::float16_t*>(from) + i)), f, to + i);
    }
#endif
    for (; i < n; ++i) to[i] = float_from_f16(half[i]);
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(float));
  }
}

void add_to_n(const float* x, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; i += lanes()) store(hn::Add(load(y + i, n - i), load(x + i, n - i)), y + i, n - i);
}

void add_scaled_n(const float* x, float weight, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; i += lanes()) {
    store(hn::MulAdd(load(x + i, n - i), broadcast(weight), load(y + i, n - i)), y + i, n - i);
  }
}

void add_weighted_n(const float* x, double weight, std::int64_t n, double* sums) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const auto step = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + step <= n; i += step) {
    const auto wide = hn::PromoteTo(d, hn::LoadU(narrow, x + i));
    hn::StoreU(hn::MulAdd(wide, hn::Set(d, weight), hn::LoadU(d, sums + i)), d, sums + i);
  }
  for (; i < n; ++i) sums[i] += weight * static_cast<double>(x[i]);
}

void keep_larger_n(const float* x, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; i += lanes()) store(hn::Max(load(y + i, n - i), load(x + i, n - i)), y + i, n - i);
}

double dot_n(const float* a, const float* b, std::int64_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const auto step = static_cast<std::int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + step <= n; i += step) {
    sum = hn::MulAdd(hn::PromoteTo(d, hn::LoadU(narrow, a + i)), hn::PromoteTo(d, hn::LoadU(narrow, b + i)), sum);
  }
  double total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < n; ++i) total += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return total;
}

void combine_n(float a, const float* x, float b, const float* z, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; i += lanes()) {
    const Floats scaled = hn::Mul(broadcast(b), load(z + i, n - i));
    store(hn::MulAdd(broadcast(a), load(x + i, n - i), scaled), y + i, n - i);
  }
}

void scale_n(float factor, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; i += lanes()) store(hn::Mul(load(y + i, n - i), broadcast(factor)), y + i, n - i);
}

void rotate_halves_n(const float* cosines, const float* sines, std::int64_t half, bool back, float* x) {
  const Floats sign = broadcast(back ? -1.0f : 1.0f);
  for (std::int64_t i = 0; i < half; i += lanes()) {
    const std::int64_t left = half - i;
    const Floats cosine = load(cosines + i, left), sine = hn::Mul(load(sines + i, left), sign);
    const Floats low = load(x + i, left), high = load(x + half + i, left);
    store(hn::NegMulAdd(high, sine, hn::Mul(low, cosine)), x + i, left);
    store(hn::MulAdd(low, sine, hn::Mul(high, cosine)), x + half + i, left);
  }
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sgpt::cpu {

HWY_EXPORT(convert_n);
HWY_EXPORT(add_to_n);
HWY_EXPORT(add_scaled_n);
HWY_EXPORT(add_weighted_n);
HWY_EXPORT(keep_larger_n);
HWY_EXPORT(dot_n);
HWY_EXPORT(combine_n);
HWY_EXPORT(scale_n);
HWY_EXPORT(rotate_halves_n);

void convert_to_floats(const void* from, DType type, std::int64_t n, float* to) {
  HWY_DYNAMIC_DISPATCH(convert_n)(from, type, n, to);
}
void add_to(const float* x, std::int64_t n, float* y) { HWY_DYNAMIC_DISPATCH(add_to_n)(x, n, y); }
void add_scaled(const float* x, float weight, std::int64_t n, float* y) {
  HWY_DYNAMIC_DISPATCH(add_scaled_n)(x, weight, n, y);
}
void add_weighted(const float* x, double weight, std::int64_t n, double* sums) {
  HWY_DYNAMIC_DISPATCH(add_weighted_n)(x, weight, n, sums);
}
void keep_larger(const float* x, std::int64_t n, float* y) { HWY_DYNAMIC_DISPATCH(keep_larger_n)(x, n, y); }
double dot(const float* a, const float* b, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(dot_n)(a, b, n); }
void combine(float a, const float* x, float b, const float* z, std::int64_t n, float* y) {
  HWY_DYNAMIC_DISPATCH(combine_n)(a, x, b, z, n, y);
}
void scale(float factor, std::int64_t n, float* y) { HWY_DYNAMIC_DISPATCH(scale_n)(factor, n, y); }
void rotate_halves(const float* cosines, const float* sines, std::int64_t half, bool back, float* x) {
  HWY_DYNAMIC_DISPATCH(rotate_halves_n)(cosines, sines, half, back, x);
}

StridedMatrix as_floats(const StridedMatrix& m, Workspace& workspace) {
  if (m.type == DType::f32) return m;
  float* floats = workspace.floats(kConvertSlot, m.rows * m.cols);
  const bool transposed = m.row_stride == 1;  // its columns lie dense
  const std::int64_t lines = transposed ? m.cols : m.rows, length = transposed ? m.rows : m.cols;
  for (std::int64_t i = 0; i < lines; ++i) {
    convert_to_floats(transposed ? m.at(0, i) : m.at(i, 0), m.type, length, floats + i * length);
  }
  if (transposed) return {floats, m.rows, m.cols, 1, length};
  return {floats, m.rows, m.cols, length, 1};
}

}  // namespace sgpt::cpu
#endif
