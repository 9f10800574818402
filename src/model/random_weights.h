// The weights of a new BLOOM: normal numbers, as BLOOM itself was initialised.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/safetensors.h"

namespace sgpt {

/// Every parameter, to be written: matrices and embedding normal with standard deviation 0.02, biases 0, LayerNorm
/// weights
/// 1. A parameter's numbers are made when they are written. They depend on the seed, the sizes and nothing else.
std::vector<TensorToWrite> random_weights(const BloomConfig& config, std::uint64_t seed);

}  // namespace sgpt
