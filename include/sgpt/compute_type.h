// What a model's matrix products are computed with.
#pragma once

#include <optional>
#include <string_view>

namespace sgpt {

/// The matrices of the Linear layers and what they are multiplied with. Everything else is f32, sums included.
enum class ComputeType {
  f32,
  bf16,       ///< both sides rounded to bfloat16; for processors with instructions for it
  int8,       ///< both sides as 8-bit integers: a scale for each output (weights) or token (activations) and 256 inputs
  automatic,  ///< f32, but bf16 where the weights have 16 bits and this processor is clearly faster with it: measured
};

/// "f32", "bf16", "int8", "auto".
std::string_view name_of(ComputeType type);

/// The type of that name, or nothing.
std::optional<ComputeType> compute_type_from(std::string_view name);

}  // namespace sgpt
