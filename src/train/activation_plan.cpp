#include "train/activation_plan.h"

#include <algorithm>

namespace sgpt {
namespace {

/// Weighs a plan's chunks by their size.
double computed_again(std::span<const ChunkBytes> chunks, const ActivationPlan& plan, double layer_again) {
  double again = 0;
  double all = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const auto size = static_cast<double>(chunks[i].inputs);
    all += size;
    if (plan.chunks[i] == Kept::inputs) again += layer_again * size;
    if (plan.chunks[i] == Kept::nothing) again += (plan.again == Keep::inputs ? 1 + layer_again : 1) * size;
  }
  return all > 0 ? again / all : 0;
}

/// Chunk after chunk: inputs where they fit beside the `reserve` for a second pass, then whatever more fits.
ActivationPlan plan_with(std::span<const ChunkBytes> chunks, std::size_t memory, std::size_t reserve, Keep again,
                         double layer_again) {
  ActivationPlan plan{std::vector(chunks.size(), Kept::nothing), again, 0, reserve};
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    if (plan.bytes + chunks[i].inputs > memory) continue;
    plan.chunks[i] = Kept::inputs;
    plan.bytes += chunks[i].inputs;
  }
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const std::size_t more = chunks[i].activations - chunks[i].inputs;
    if (plan.chunks[i] != Kept::inputs || plan.bytes + more > memory) continue;
    plan.chunks[i] = Kept::activations;
    plan.bytes += more;
  }
  plan.computed_again = computed_again(chunks, plan, layer_again);
  return plan;
}

}  // namespace

std::int64_t ActivationPlan::count(Kept kept) const { return std::count(chunks.begin(), chunks.end(), kept); }

ActivationPlan plan_activations(std::span<const ChunkBytes> chunks, std::size_t memory, double layer_again) {
  ChunkBytes largest;
  for (const ChunkBytes& chunk : chunks) {
    largest.inputs = std::max(largest.inputs, chunk.inputs);
    largest.activations = std::max(largest.activations, chunk.activations);
  }
  // Without a second pass, which holds when every chunk's inputs fit; or with room for one, of either kind.
  ActivationPlan best = plan_with(chunks, memory, 0, Keep::activations, layer_again);
  if (best.count(Kept::nothing) == 0) return best;
  best = plan_with(chunks, memory, largest.inputs, Keep::inputs, layer_again);
  if (largest.activations > memory) return best;
  const ActivationPlan other = plan_with(chunks, memory, largest.activations, Keep::activations, layer_again);
  return other.computed_again < best.computed_again ? other : best;
}

}  // namespace sgpt
