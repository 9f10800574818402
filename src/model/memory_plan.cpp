#include "model/memory_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/free_memory.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::uint64_t kFloat = sizeof(float);
constexpr std::uint64_t kArenaSlack = std::uint64_t{4} << 20;  // of an arena's last block, and huge pages begun

std::uint64_t of_tokens(std::int64_t tokens, std::int64_t bytes_a_token) {
  return bytes_of_tokens(tokens, bytes_a_token) + kArenaSlack;
}

std::uint64_t elements(const ParameterInfo& parameter) {
  return static_cast<std::uint64_t>(parameter.rows * parameter.cols);
}

}  // namespace

std::uint64_t bytes_of_tokens(std::int64_t tokens, std::int64_t bytes_a_token) {
  constexpr std::uint64_t kMoreThanAll = std::uint64_t{1} << 62;
  std::uint64_t bytes = 0;
  const bool overflows =
      __builtin_mul_overflow(static_cast<std::uint64_t>(tokens), static_cast<std::uint64_t>(bytes_a_token), &bytes);
  return overflows ? kMoreThanAll : std::min(bytes, kMoreThanAll);
}

WeightsMemory plan_weights(const Backend& backend, const Architecture& config, DType stored,
                           const TrainedParameters& which, ComputeType compute) {
  WeightsMemory memory;
  bool trained_before = false;
  const auto add_matrix = [&](const ParameterInfo& matrix, bool trained) {
    const PackedMemory packed =
        backend.plan_pack({.out = matrix.rows,
                           .in = matrix.cols,
                           .stored = trained ? DType::f32 : stored,
                           .use = trained_before ? WeightUse::forward_and_backward : WeightUse::forward,
                           .type = compute,
                           .trained = trained});
    memory.values += packed.bytes;
    if (packed.reads_source && !trained) {
      // What lies the other way in its file is read out of a copy.
      (matrix.transposed ? memory.values : memory.mapped) += elements(matrix) * size_of(stored);
    }
  };
  for (const ParameterInfo& parameter : decoder_parameters(config, which.lora)) {
    const std::uint64_t size = elements(parameter);
    const bool trained = which.trained(parameter.name);
    if (parameter.lora != LoraPart::none) {
      memory.values += backend
                           .plan_pack({.out = parameter.rows,
                                       .in = parameter.cols,
                                       .use = WeightUse::forward_and_backward,
                                       .trained = true})
                           .bytes;
    } else if (parameter.kind == ParameterKind::matrix) {
      add_matrix(parameter, trained);
    }
    if (trained) {
      memory.values += size * kFloat;
      memory.gradients += 3 * size * kFloat;
    } else if (parameter.kind == ParameterKind::vector) {
      memory.values += size * kFloat;
    } else if (parameter.kind == ParameterKind::embedding) {
      memory.mapped += size * (stored == DType::i8 ? kFloat : size_of(stored));  // it is never quantized
    }
    trained_before |= trained;
  }
  return memory;
}

std::uint64_t forward_working_bytes(const LayerPlan& plan, std::int64_t tokens) {
  return of_tokens(tokens, plan.forward);
}

std::uint64_t training_working_bytes(const LayerPlan& plan, std::int64_t tokens, Keep keep, bool matrices_trained) {
  std::int64_t backward = plan.backward;
  if (matrices_trained) backward += plan.backward_of_matrices;
  if (keep == Keep::inputs) backward += plan.computed_again + (matrices_trained ? plan.computed_again_attended : 0);
  return of_tokens(tokens, std::max(backward, plan.forward));
}

std::string in_gigabytes(std::uint64_t bytes) {
  constexpr double kGigabyte = 1e9;
  return fmt::format("{:.1f} GB", static_cast<double>(bytes) / kGigabyte);
}

void require_memory(const std::string& what, std::uint64_t needed, const std::string& advice, std::int64_t processes) {
  const std::uint64_t free_bytes = free_memory() / static_cast<std::uint64_t>(processes);
  if (needed <= free_bytes) return;
  throw MachineError(fmt::format("{} takes about {} of memory, but only {} are free{}; {}", what, in_gigabytes(needed),
                                 in_gigabytes(free_bytes), processes > 1 ? " for each process" : "", advice));
}

std::int64_t parameter_count(const Architecture& config) {
  std::int64_t count = 0;
  for (const ParameterInfo& parameter : decoder_parameters(config)) count += parameter.rows * parameter.cols;
  return count;
}

}  // namespace sgpt
