// One tensor of a checkpoint in another type, made piece by piece while it is written: the source is read through its
// map and its pages are given back, so that a tensor of any size takes a few megabytes.
#pragma once

#include <cstdint>
#include <functional>

#include "model/checkpoint.h"
#include "model/safetensors.h"
#include "tensor/dtype.h"

namespace sgpt {

/// Called with the bytes of the source that were read since the last call; what it throws ends the conversion.
using BytesRead = std::function<void(std::uint64_t bytes)>;

/// `source` rounded to `type` (f32, f16 or bf16), to the nearest number, ties to even. Filling throws UserError, naming
/// file and tensor, at a number that is not finite or that is beyond the largest one of the type. The source's
/// checkpoint must outlive the result.
TensorToWrite converted(const CheckpointTensor& source, DType type, BytesRead read);

/// The bytes as they are, whatever they are.
TensorToWrite copied(const CheckpointTensor& source, BytesRead read);

/// A matrix [out, in] as 8-bit integers, and their scales (tensor/quantize.h); the source is read for each of them.
TensorToWrite quantized_values(const CheckpointTensor& source, BytesRead read);
TensorToWrite quantized_scales(const CheckpointTensor& source, BytesRead read);

/// The same of a matrix that lies as [in, out]: turned over, as integers always lie.
TensorToWrite transposed_quantized_values(const CheckpointTensor& source, BytesRead read);
TensorToWrite transposed_quantized_scales(const CheckpointTensor& source, BytesRead read);

}  // namespace sgpt
