// Whether bf16 pays: on one processor it doubles the speed of f32, on another it halves it, though both have the
// instructions.
#pragma once

#include "backend/backend.h"

namespace sgpt::cpu {

/// How many times faster than in f32 a matrix of 16-bit weights is multiplied in bf16, by the very kernels that a model
/// is computed with: timed anew, forward, or both ways as in training. For tests, the environment variable
/// SGPT_CPU_BF16_GAIN says it instead.
double gain_of_bf16(Backend& backend, WeightUse use);

}  // namespace sgpt::cpu
