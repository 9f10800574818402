// The memory that training a model will take, told from its architecture alone, before anything is loaded.
#pragma once

#include <cstdint>
#include <optional>

#include "backend/backend.h"
#include "model/architecture.h"
#include "model/memory_plan.h"
#include "tensor/dtype.h"

namespace sgpt {

/// A run whose texts all have the greatest length, with GradCache.
struct PlannedRun {
  std::int64_t batch = 32;                              ///< triplets: query, positive, negative
  std::int64_t chunk_size = 8;                          ///< of them
  std::int64_t max_seq_length = 75;                     ///< tokens a text
  std::optional<std::uint64_t> activation_memory = {};  ///< unset: as a run itself chooses
  ComputeType compute = ComputeType::f32;
  bool biases_alone = false;
};

struct TrainingPlan {
  WeightsMemory weights;      ///< and their gradients and moments
  std::uint64_t kept = 0;     ///< of forward passes, at one time
  std::uint64_t working = 0;  ///< beside it, while the largest chunk is computed
  double computed_again = 0;  ///< forward passes over the batch
};

/// Of a model whose matrices lie on disk as `stored`.
TrainingPlan plan_training(const Backend& backend, const Architecture& architecture, DType stored,
                           const PlannedRun& run);

}  // namespace sgpt
