#include "tensor/quantize.h"

#include <algorithm>
#include <bit>

#include "tensor/require.h"

namespace sgpt {
namespace {

constexpr float kLargest = 127.0f;

/// block[count] = a row's weights from `first` on.
void load_block(ConstMatrix weight, std::int64_t row, std::int64_t first, std::int64_t count, float* block) {
  const std::int64_t at = row * weight.cols + first;
  const auto* halves = static_cast<const std::uint16_t*>(weight.data) + at;
  switch (weight.type) {
    case DType::bf16: std::transform(halves, halves + count, block, float_from_bf16); break;
    case DType::f16: std::transform(halves, halves + count, block, float_from_f16); break;
    default: std::copy_n(weight.f32() + at, count, block);
  }
}

/// |x| of the number furthest from zero. Floats without their sign are in the order of their bits, and integers are
/// what compilers turn into vector code.
float largest_magnitude(const float* block, std::int64_t count) {
  std::int32_t largest = 0;
  for (std::int64_t i = 0; i < count; ++i)
    largest = std::max(largest, std::bit_cast<std::int32_t>(block[i]) & 0x7fffffff);
  return std::bit_cast<float>(largest);
}

/// To the nearest integer, ties to even, for numbers far smaller than the constant: the addition itself rounds.
float rounded(float x) {
  constexpr float kLastPlaceIsOne = 0x1.8p23f;
  return (x + kLastPlaceIsOne) - kLastPlaceIsOne;
}

/// Returns the scale. A block of zeros, or of numbers too small for a scale, has the scale 0.
float quantize_block(const float* block, std::int64_t count, std::int8_t* values) {
  const float scale = largest_magnitude(block, count) / kLargest;
  if (scale == 0) {
    std::fill_n(values, count, std::int8_t{0});
    return 0;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    // The quotient may pass 127 by a rounding where the scale itself is a subnormal.
    const float limited = std::min(std::max(block[i] / scale, -kLargest), kLargest);
    values[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(rounded(limited)));
  }
  return scale;
}

}  // namespace

void quantize_rows(ConstMatrix weight, Matrix values, Matrix scales) {
  const std::int64_t in = weight.cols;
  const std::int64_t blocks = quantization_blocks(in);
  require(values.type == DType::i8 && values.rows == weight.rows && values.cols == in && scales.type == DType::f32 &&
              scales.rows == weight.rows && scales.cols == blocks,
          "quantize_rows: values[out,in] of i8 and scales[out,blocks] of f32 from W[out,in]", weight, values, scales);
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < weight.rows; ++row) {
    auto* row_values = static_cast<std::int8_t*>(values.data) + row * in;
    for (std::int64_t b = 0; b < blocks; ++b) {
      float block[kQuantizationBlock];
      const std::int64_t first = b * kQuantizationBlock;
      const std::int64_t count = std::min(kQuantizationBlock, in - first);
      load_block(weight, row, first, count, block);
      scales.f32_row(row)[b] = quantize_block(block, count, row_values + first);
    }
  }
}

void dequantize_rows(ConstMatrix values, ConstMatrix scales, Matrix weight) {
  const std::int64_t in = values.cols;
  require(values.type == DType::i8 && weight.type == DType::f32 && values.rows == weight.rows && in == weight.cols &&
              scales.type == DType::f32 && scales.rows == values.rows && scales.cols == quantization_blocks(in),
          "dequantize_rows: W[out,in] of f32 from values[out,in] of i8 and scales[out,blocks]", values, scales, weight);
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < values.rows; ++row) {
    const auto* row_values = static_cast<const std::int8_t*>(values.data) + row * in;
    const float* row_scales = scales.f32_row(row);
    float* to = weight.f32_row(row);
    for (std::int64_t i = 0; i < in; ++i)
      to[i] = static_cast<float>(row_values[i]) * row_scales[i / kQuantizationBlock];
  }
}

}  // namespace sgpt
