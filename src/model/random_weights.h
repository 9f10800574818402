// The weights of a new model: normal numbers, as BLOOM and the GPTs were initialised.
#pragma once

#include <cstdint>
#include <vector>

#include "model/architecture.h"
#include "model/safetensors.h"

namespace sgpt {

/// Every parameter, to be written: matrices and embeddings normal with standard deviation 0.02, biases 0, LayerNorm
/// weights 1. A parameter's numbers are made when they are written. They depend on the seed, the sizes and nothing
/// else.
std::vector<TensorToWrite> random_weights(const Architecture& config, std::uint64_t seed);

}  // namespace sgpt
