// Weights as 8-bit integers with scales: symmetric, a scale for every output channel and block of 256 inputs, so that
// one large input channel costs only its own block precision.
#pragma once

#include <cstdint>

#include "tensor/matrix.h"

namespace sgpt {

/// Inputs that share a scale.
inline constexpr std::int64_t kQuantizationBlock = 256;

/// Scales of a row of `inputs` weights; the last block may be a short one.
constexpr std::int64_t quantization_blocks(std::int64_t inputs) {
  return (inputs + kQuantizationBlock - 1) / kQuantizationBlock;
}

/// weight[o, i] ≈ values[o, i] · scales[o, i / 256], from a host matrix [out, in] of f32, f16 or bf16, all finite.
/// values [out, in] of i8 = the nearest integers from −127 to 127, ties to even; scales [out, blocks] of f32 = the
/// block's largest magnitude / 127. Rows do not depend on each other: pieces of a matrix quantize as the whole does.
void quantize_rows(ConstMatrix weight, Matrix values, Matrix scales);

/// weight[out, in] (f32) = values · scales.
void dequantize_rows(ConstMatrix values, ConstMatrix scales, Matrix weight);

}  // namespace sgpt
