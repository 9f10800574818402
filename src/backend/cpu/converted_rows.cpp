// Rows of the left side, and weights, in the numbers of kernels that do not multiply floats.
#include "backend/cpu/simd.h"

#include "backend/cpu/vector_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/converted_rows.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>

#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

using Ints = hn::RebindToSigned<F>;

void round_to_bf16_n(const float* row, std::int64_t count, std::int64_t inner, std::uint16_t* values) {
  for (std::int64_t i = 0; i < count; i += lanes()) store_rounded(load(row + i, count - i), values + i, count - i);
  std::fill(values + count, values + inner, std::uint16_t{0});
}

// A range so many times the mean magnitude: some 7 for normally distributed numbers.
constexpr float kRangeOfOutliers = 16;

HWY_INLINE RowRange range_of(const float* row, std::int64_t count) {
  if (count == 0) return {};
  Floats low = broadcast(row[0]), high = low, magnitudes = hn::Zero(F());
  Floats zero = hn::Zero(F());  // or NaN, once there is a number that is not finite: Min and Max may lose it
  for (std::int64_t i = 0; i < count; i += lanes()) {
    // Past the row the first number stands once more.
    const auto present = hn::FirstN(F(), static_cast<std::size_t>(HWY_MIN(count - i, lanes())));
    const Floats there = load(row + i, count - i), x = hn::IfThenElse(present, there, broadcast(row[0]));
    low = hn::Min(low, x);
    high = hn::Max(high, x);
    magnitudes = hn::Add(magnitudes, hn::Abs(there));
    zero = hn::Add(zero, hn::Sub(x, x));
  }
  const float lowest = hn::GetLane(hn::MinOfLanes(F(), low)) + sum_of(zero);
  const float range = hn::GetLane(hn::MaxOfLanes(F(), high)) - lowest, step = range / 255.0f;
  const bool outliers = range * static_cast<float>(count) > kRangeOfOutliers * sum_of(magnitudes);
  return {step, lowest, outliers ? step / 255.0f : 0.0f};
}

HWY_INLINE void store_integers(hn::Vec<Ints> v, std::uint8_t* to) {
  const hn::Rebind<std::uint8_t, Ints> u8;
  hn::StoreU(hn::DemoteTo(u8, v), u8, to);
}
HWY_INLINE void store_integers(hn::Vec<Ints> v, std::int16_t* to) {
  const hn::Rebind<std::int16_t, Ints> i16;
  hn::StoreU(hn::DemoteTo(i16, v), i16, to);
}

/// `inner` is a multiple of every vector's length.
template <class T>
HWY_INLINE void quantize(const float* row, std::int64_t count, std::int64_t inner, T* values, T* fine,
                         RowRange& range) {
  range = range_of(row, count);
  const Floats inverse = broadcast(range.step > 0 ? 1.0f / range.step : 0.0f), lowest = broadcast(range.lowest);
  for (std::int64_t i = 0; i < inner; i += lanes()) {
    const std::int64_t left = HWY_MAX(count - i, 0);
    const Floats steps = hn::Min(hn::Mul(hn::Sub(load(row + i, left), lowest), inverse), broadcast(255.0f));
    if (range.fine_step == 0) {
      store_integers(hn::NearestInt(first_lanes(steps, left)), values + i);
      continue;
    }
    const Floats whole = hn::Floor(steps), rest = hn::Mul(hn::Sub(steps, whole), broadcast(255.0f));
    store_integers(hn::NearestInt(first_lanes(whole, left)), values + i);
    store_integers(hn::NearestInt(first_lanes(rest, left)), fine + i);
  }
}

void quantize_to_bytes(const float* row, std::int64_t count, std::int64_t inner, std::uint8_t* values,
                       std::uint8_t* fine, RowRange& range) {
  quantize(row, count, inner, values, fine, range);
}
void quantize_to_words(const float* row, std::int64_t count, std::int64_t inner, std::int16_t* values,
                       std::int16_t* fine, RowRange& range) {
  quantize(row, count, inner, values, fine, range);
}

constexpr float kLargestWeight = 127;

/// As quantize_rows does it; a block of zeros, or of numbers too small for a scale, has the scale 0.
float quantize_block(const float* weights, std::int64_t count, std::int8_t* values) {
  const hn::Rebind<std::int8_t, Ints> i8;
  Floats magnitudes = hn::Zero(F());
  for (std::int64_t i = 0; i < count; i += lanes()) {
    magnitudes = hn::Max(magnitudes, hn::Abs(load(weights + i, count - i)));
  }
  const float scale = hn::GetLane(hn::MaxOfLanes(F(), magnitudes)) / kLargestWeight;
  if (scale == 0) {
    std::fill_n(values, count, std::int8_t{0});
    return 0;
  }
  for (std::int64_t i = 0; i < count; i += lanes()) {
    const Floats steps = hn::Div(load(weights + i, count - i), broadcast(scale));
    const Floats limited = hn::Min(hn::Max(steps, broadcast(-kLargestWeight)), broadcast(kLargestWeight));
    const auto integers = hn::DemoteTo(i8, hn::NearestInt(limited));
    if (count - i >= lanes()) {
      hn::StoreU(integers, i8, values + i);
    } else {
      HWY_ALIGN std::int8_t tail[hn::MaxLanes(i8)];
      hn::StoreU(integers, i8, tail);
      std::copy_n(tail, count - i, values + i);
    }
  }
  return scale;
}

// (lowest + step·q) · (scale·w) summed over q and w: step·scale·Σqw + lowest·scale·Σw.
void add_quantized_tile(const QuantizedProduct& product, std::int64_t rows, std::int64_t cols, bool accumulate,
                        float* tile, std::int64_t tile_stride) {
  const hn::RebindToSigned<F> whole;
  for (std::int64_t j = 0; j < cols; j += lanes()) {
    const Floats scale = hn::LoadU(F(), product.scales + j), sum = hn::LoadU(F(), product.sums + j);
    for (std::int64_t r = 0; r < rows; ++r) {
      float* to = tile + r * tile_stride + j;
      const Floats before = accumulate ? hn::LoadU(F(), to) : hn::Zero(F());
      const Floats offset = hn::MulAdd(broadcast(product.ranges[r].lowest), sum, before);
      const Floats step = hn::Mul(broadcast(product.ranges[r].step), scale);
      const Floats exact = hn::ConvertTo(F(), hn::LoadU(whole, product.exact + r * product.stride + j));
      hn::StoreU(hn::MulAdd(exact, step, offset), F(), to);
    }
  }
}

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sgpt::cpu {

HWY_EXPORT(round_to_bf16_n);
HWY_EXPORT(quantize_to_bytes);
HWY_EXPORT(quantize_to_words);
HWY_EXPORT(quantize_block);
HWY_EXPORT(add_quantized_tile);

void round_to_bf16(const float* row, std::int64_t count, std::int64_t inner, std::uint16_t* values) {
  HWY_DYNAMIC_DISPATCH(round_to_bf16_n)(row, count, inner, values);
}
void quantize_row(const float* row, std::int64_t count, std::int64_t inner, std::uint8_t* values, std::uint8_t* fine,
                  RowRange& range) {
  HWY_DYNAMIC_DISPATCH(quantize_to_bytes)(row, count, inner, values, fine, range);
}
void quantize_row(const float* row, std::int64_t count, std::int64_t inner, std::int16_t* values, std::int16_t* fine,
                  RowRange& range) {
  HWY_DYNAMIC_DISPATCH(quantize_to_words)(row, count, inner, values, fine, range);
}
float quantize_weights(const void* weights, DType type, std::int64_t count, std::int8_t* values) {
  if (type == DType::f32)
    return HWY_DYNAMIC_DISPATCH(quantize_block)(static_cast<const float*>(weights), count, values);
  float floats[kQuantizationBlock];
  convert_to_floats(weights, type, count, floats);
  return HWY_DYNAMIC_DISPATCH(quantize_block)(floats, count, values);
}
void add_quantized(const QuantizedProduct& product, std::int64_t rows, std::int64_t cols, bool accumulate, float* tile,
                   std::int64_t tile_stride) {
  HWY_DYNAMIC_DISPATCH(add_quantized_tile)(product, rows, cols, accumulate, tile, tile_stride);
}

}  // namespace sgpt::cpu
#endif
