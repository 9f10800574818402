#include "train/training_plan.h"

#include <algorithm>
#include <vector>

#include "model/layer_plan.h"
#include "train/activation_plan.h"
#include "train/trainer.h"

namespace sgpt {
namespace {

constexpr std::int64_t kColumns = 3;  // of a triplet

}  // namespace

TrainingPlan plan_training(const Backend& backend, const Architecture& architecture, DType stored,
                           const PlannedRun& run) {
  const LayerPlan layer = layer_plan(architecture, backend.activation_type());
  const bool matrices = !run.biases_alone;
  const auto bytes = [&](std::int64_t tokens, Keep keep) {
    const std::int64_t a_token =
        architecture.layers * layer.kept_of_layer(keep, matrices) + layer.kept_embedded + layer.kept_last;
    return bytes_of_tokens(tokens, a_token);
  };
  std::vector<ChunkBytes> chunks;
  std::int64_t longest = 0;
  for (std::int64_t row = 0; row < run.batch; row += run.chunk_size) {
    const std::int64_t tokens = std::min(run.chunk_size, run.batch - row) * kColumns * run.max_seq_length;
    chunks.push_back({bytes(tokens, Keep::inputs), bytes(tokens, Keep::activations)});
    longest = std::max(longest, tokens);
  }
  const TrainedParameters which = trained_parameters({.non_bias = run.biases_alone});
  const WeightsMemory weights = plan_weights(backend, architecture, stored, which, run.compute);
  const auto memory = run.activation_memory.value_or(default_activation_memory(weights.total()));
  const ActivationPlan plan = plan_activations(chunks, memory, layer.share_again());
  const bool from_inputs =
      plan.count(Kept::inputs) > 0 || (plan.count(Kept::nothing) > 0 && plan.again == Keep::inputs);
  const Keep keep = from_inputs ? Keep::inputs : Keep::activations;
  return {weights, plan.bytes, training_working_bytes(layer, longest, keep, matrices), plan.computed_again};
}

}  // namespace sgpt
