// How much memory a model will take, before it is loaded.
#pragma once

#include <cstdint>

#include "model/config.h"

namespace sgpt {

/// Bytes. Frozen embeddings are read from the mapped file and take no memory of their own.
struct MemoryEstimate {
  std::int64_t encode = 0;             ///< packed weights, and the activations of one batch of 2048 tokens
  std::int64_t train_biases = 0;       ///< BitFit: weights packed for both directions, gradients, moments
  std::int64_t train_all = 0;          ///< the same where every parameter is trained
  std::int64_t train_1000_tokens = 0;  ///< to be added for every 1000 tokens whose activations are kept
};

MemoryEstimate estimate_memory(const BloomConfig& config);

/// The number of parameters.
std::int64_t parameter_count(const BloomConfig& config);

}  // namespace sgpt
