// Is there a NaN or an infinity among the values of a tensor?
#pragma once

#include "tensor/matrix.h"

namespace sgpt {

/// Whether all values of a host matrix of f32, f16 or bf16 are finite. The data need not be aligned.
bool all_finite(ConstMatrix values);

}  // namespace sgpt
