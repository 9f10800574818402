// What GradCache keeps of each chunk's first pass, so that the least is computed again in a given memory.
// A chunk whose layers' inputs are kept needs most of a forward pass again (all matrices of a layer but the last: two
// thirds of BLOOM's), in a ninth of the memory; a chunk that nothing is kept of needs a whole one, and room for what it
// keeps then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/layer_plan.h"

namespace sgpt {

enum class Kept : std::uint8_t { nothing, inputs, activations };

/// The bytes that a chunk takes with each way of keeping.
struct ChunkBytes {
  std::size_t inputs = 0;
  std::size_t activations = 0;
};

struct ActivationPlan {
  std::vector<Kept> chunks;
  Keep again = Keep::activations;  ///< what the second pass over a chunk keeps that the first kept nothing of
  double computed_again = 0;       ///< forward passes over the batch, in matrix products
  std::size_t bytes = 0;           ///< of all that is kept at one time

  std::int64_t count(Kept kept) const;
};

/// The plan that computes least again; `layer_again`: the share of a forward pass that has to be computed again where
/// inputs alone were kept (LayerPlan::share_again). Where not even the inputs of the largest chunk fit into `memory`,
/// it takes what that needs.
ActivationPlan plan_activations(std::span<const ChunkBytes> chunks, std::size_t memory, double layer_again);

}  // namespace sgpt
