// The memory of a training step, planned from the texts of its batch; the chunk size that suits it; and the refusal of
// runs that cannot fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/communicator.h"
#include "model/decoder.h"
#include "model/memory_plan.h"
#include "sgpt/trainer.h"
#include "train/grad_cache.h"

namespace sgpt {

struct StepMemory {
  std::uint64_t kept = 0;     ///< of forward passes, at one time
  std::uint64_t working = 0;  ///< beside it, while the largest chunk is computed
  double computed_again = 0;  ///< forward passes over the batch

  std::uint64_t total() const { return kept + working; }
};

/// Of a step with this batch. chunk_size 0: without GradCache.
StepMemory plan_step(const Decoder& model, const TrainingBatch& batch, std::int64_t chunk_size,
                     std::size_t activation_memory);

/// The chunk size with which such batches are likely fastest: the larger a chunk, the faster its products; the smaller,
/// the less of it is computed again where memory is short. A power of two, or the whole batch.
std::int64_t choose_chunk_size(const Decoder& model, std::span<const TrainingBatch> batches,
                               std::size_t activation_memory);

/// Throws MachineError when the weights cannot fit, to be asked before they are loaded.
void require_weights_memory(const Backend& backend, const Checkpoint& checkpoint, const Architecture& config,
                            const TrainedParameters& which, ComputeType compute, const Communicator& ranks);

/// What the memory of a run is planned by.
struct MemoryFacts {
  WeightsMemory weights;
  std::span<const TrainingBatch> batches;  ///< its first
};

/// Once the model is loaded: sets chunk size (to `recorded_chunk_size`, where that is not 0) and memory of GradCache
/// where the options leave them open, the chunk size alike on all ranks. Throws MachineError, saying what would fit,
/// when the largest of the batches needs more memory than is free.
void settle_memory(TrainOptions& options, const Decoder& model, const MemoryFacts& facts,
                   std::int64_t recorded_chunk_size, Communicator& ranks);

}  // namespace sgpt
