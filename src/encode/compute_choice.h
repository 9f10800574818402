// Which type a model's matrices are multiplied in: what the user asks for, where the backend can, or what fits.
#pragma once

#include <optional>

#include "backend/backend.h"
#include "sgpt/compute_type.h"
#include "tensor/dtype.h"

namespace sgpt {

/// `wanted`, with automatic settled for weights that lie on disk as `stored`; unset is f32, or int8 where the weights
/// are. Throws UserError when the backend cannot compute in it on this machine.
ComputeType choose_compute(std::optional<ComputeType> wanted, const Backend& backend, DType stored);

}  // namespace sgpt
