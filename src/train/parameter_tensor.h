// What is trained, as tensors of a file.
#pragma once

#include <string>
#include <vector>

#include "model/decoder.h"
#include "model/safetensors.h"

namespace sgpt {

/// A tensor of f32 in the shape of `parameter`, fetched from `device` (its numbers, in the backend's memory) piece by
/// piece while it is written. The model must outlive it.
TensorToWrite parameter_tensor(const Decoder& model, const Parameter& parameter, std::string name, Matrix device);

/// The trained matrices of LoRA by the names that PEFT has for them. The model must outlive them.
std::vector<TensorToWrite> adapter_tensors(const Decoder& model);

}  // namespace sgpt
