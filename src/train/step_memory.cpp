#include "train/step_memory.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/free_memory.h"
#include "base/log.h"
#include "train/activation_plan.h"
#include "train/trainer.h"

namespace sgpt {
namespace {

constexpr double kSlowRows = 64;      // a product with so few rows takes about twice its share
constexpr double kNoticeable = 0.99;  // of a cost: below it a smaller chunk is worth it

bool matrices_trained(const Decoder& model) {
  const auto parameters = model.parameters();
  return std::any_of(parameters.begin(), parameters.end(), [](const Parameter& parameter) {
    return parameter.info.kind == ParameterKind::matrix && parameter.trained();
  });
}

/// What a step takes with chunks of a size, in forward passes: one forward, one backward of like cost, what is computed
/// again, and the more for products with few rows.
double cost(const Decoder& model, std::span<const TrainingBatch> batches, std::int64_t chunk_size,
            std::size_t activation_memory) {
  double sum = 0;
  for (const TrainingBatch& batch : batches) {
    if (batch.tokens() == 0) continue;
    const StepMemory step = plan_step(model, batch, chunk_size, activation_memory);
    const double chunks = static_cast<double>(batch.chunk_tokens(chunk_size).size());
    const double rows = static_cast<double>(batch.tokens()) / chunks;
    sum += (2 + step.computed_again) * (1 + kSlowRows / rows);
  }
  return sum;
}

/// Chunk sizes to choose from, the whole batch first.
std::vector<std::int64_t> chunk_sizes(std::span<const TrainingBatch> batches) {
  std::int64_t largest = 1;
  for (const TrainingBatch& batch : batches) largest = std::max(largest, batch.size());
  std::vector<std::int64_t> sizes{largest};
  std::int64_t power = 1;
  while (power * 2 < largest) power *= 2;
  for (; power >= 1 && power < largest; power /= 2) sizes.push_back(power);
  return sizes;
}

std::uint64_t largest_step(const Decoder& model, std::span<const TrainingBatch> batches, std::int64_t chunk_size,
                           std::size_t activation_memory) {
  std::uint64_t largest = 0;
  for (const TrainingBatch& batch : batches) {
    largest = std::max(largest, plan_step(model, batch, chunk_size, activation_memory).total());
  }
  return largest;
}

/// Throws when a step with the largest of the batches needs more than is free beside `reserved` bytes that are still to
/// be taken.
void require_step_memory(const TrainOptions& options, const Decoder& model, std::span<const TrainingBatch> batches,
                         std::uint64_t reserved, const Communicator& ranks) {
  const std::int64_t chunk_size = options.grad_cache ? options.chunk_size : 0;
  const auto processes = static_cast<std::uint64_t>(ranks.local_size());
  const std::uint64_t free_bytes = free_memory() / processes;
  std::string advice = "not even one text a column at a time would fit: use a smaller --max_seq_length or model";
  for (const std::int64_t size : chunk_sizes(batches)) {
    if (chunk_size > 0 && size > chunk_size) continue;
    const std::uint64_t least = largest_step(model, batches, size, 0) + reserved;
    if (least > free_bytes) continue;
    advice = fmt::format("--gradcache --chunksize {} --activation_memory 0 takes {}, and more of it makes it faster",
                         size, in_gigabytes(least));
    break;
  }
  const std::size_t memory = options.activation_memory.value_or(0);
  require_memory(fmt::format("a training step with batches of {}", options.batch_size),
                 largest_step(model, batches, chunk_size, memory) + reserved, advice, ranks.local_size());
}

}  // namespace

StepMemory plan_step(const Decoder& model, const TrainingBatch& batch, std::int64_t chunk_size,
                     std::size_t activation_memory) {
  std::vector<ChunkBytes> chunks;
  std::int64_t longest = 0;
  for (const std::int64_t tokens : batch.chunk_tokens(chunk_size)) {
    chunks.push_back({model.kept_bytes(tokens, Keep::inputs), model.kept_bytes(tokens, Keep::activations)});
    longest = std::max(longest, tokens);
  }
  const std::size_t memory = chunk_size > 0 ? activation_memory : std::numeric_limits<std::size_t>::max();
  const ActivationPlan plan = plan_activations(chunks, memory, model.plan().share_again());
  const bool from_inputs =
      plan.count(Kept::inputs) > 0 || (plan.count(Kept::nothing) > 0 && plan.again == Keep::inputs);
  const Keep keep = from_inputs ? Keep::inputs : Keep::activations;
  return {plan.bytes, training_working_bytes(model.plan(), longest, keep, matrices_trained(model)),
          plan.computed_again};
}

std::int64_t choose_chunk_size(const Decoder& model, std::span<const TrainingBatch> batches,
                               std::size_t activation_memory) {
  std::int64_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (const std::int64_t size : chunk_sizes(batches)) {
    const double found = cost(model, batches, size, activation_memory);
    if (best > 0 && found >= least * kNoticeable) continue;
    best = size;
    least = found;
  }
  return best;
}

void require_weights_memory(const Backend& backend, const Checkpoint& checkpoint, const Architecture& config,
                            const TrainedParameters& which, ComputeType compute, const Communicator& ranks) {
  const DType stored = matrix_type(checkpoint, config);
  const WeightsMemory weights = plan_weights(backend, config, stored, which, compute);
  const WeightsMemory halves = plan_weights(backend, config, DType::bf16, which, compute);
  const std::string advice =
      halves.values < weights.values
          ? fmt::format("as bf16 (sgpt convert --dtype bf16) it takes {}", in_gigabytes(halves.unavoidable()))
      : weights.gradients > weights.values / 4
          ? std::string("train small matrices beside its own (--lora_r 16), or take a smaller model")
          : std::string("take a smaller model");
  require_memory(fmt::format("{}: training the model", checkpoint.folder().string()),
                 weights.unavoidable() + kProgramBytes, advice, ranks.local_size());
}

void settle_memory(TrainOptions& options, const Decoder& model, const MemoryFacts& facts,
                   std::int64_t recorded_chunk_size, Communicator& ranks) {
  const std::uint64_t moments = 2 * model.trained_values().bytes();
  if (options.grad_cache && !options.activation_memory) {
    options.activation_memory =
        default_activation_memory(facts.weights.mapped + moments) / static_cast<std::size_t>(ranks.local_size());
  }
  if (options.grad_cache && options.chunk_size == 0) {
    // A rank without a text in its first batches has nothing to say, while another one has.
    const bool idle = std::all_of(facts.batches.begin(), facts.batches.end(),
                                  [](const TrainingBatch& batch) { return batch.size() == 0; });
    const std::vector<std::int64_t> chosen =
        ranks.all_gather(idle ? std::numeric_limits<std::int64_t>::max()
                              : choose_chunk_size(model, facts.batches, *options.activation_memory));
    options.chunk_size = *std::min_element(chosen.begin(), chosen.end());
    if (recorded_chunk_size > 0) options.chunk_size = recorded_chunk_size;
    ranks.broadcast(std::as_writable_bytes(std::span(&options.chunk_size, 1)));  // rank 0 alone may have a record
    if (ranks.first()) {
      log::info(fmt::format("GradCache: chunks of {}; --chunksize {} repeats this run to the bit", options.chunk_size,
                            options.chunk_size));
    }
  }
  require_step_memory(options, model, facts.batches, moments, ranks);
}

}  // namespace sgpt
