#include "model/memory_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "backend/cpu/cpu_backend.h"
#include "base/free_memory.h"
#include "sgpt/error.h"
#include "tensor/quantize.h"

namespace sgpt {
namespace {

constexpr std::uint64_t kFloat = sizeof(float);
constexpr std::uint64_t kGeneratedCode = std::uint64_t{14} << 20;
constexpr std::uint64_t kArenaSlack = std::uint64_t{4} << 20;  // of an arena's last block, and huge pages begun

std::uint64_t floats(std::int64_t tokens, std::int64_t floats_a_token) {
  return static_cast<std::uint64_t>(tokens * floats_a_token) * kFloat + kArenaSlack;
}

}  // namespace

WeightsMemory plan_weights(const BloomConfig& config, DType stored, const TrainedParameters& which,
                           ComputeType compute) {
  const bool halves = stored == DType::bf16 || stored == DType::f16;
  WeightsMemory memory;
  bool trained_before = false;
  // A large f32 product reads its matrix where it lies, in both directions, and so does every bf16 product of training.
  // Others are packed, and packed once more where something below them is trained.
  const auto add_matrix = [&](std::uint64_t size, bool trained) {
    if (compute == ComputeType::bf16 && trained_before) {
      if (trained) memory.code = kGeneratedCode;  // for its gradients
      if (!trained) memory.mapped += size * size_of(stored);
      return;
    }
    const bool streamed = size >= static_cast<std::uint64_t>(kLeastStreamed);
    if (!trained && compute == ComputeType::int8) {
      memory.values += size + 2 * kFloat * size / kQuantizationBlock;
    } else if (!trained && compute == ComputeType::bf16) {
      memory.values += size * size_of(DType::bf16);
    } else if (!streamed || (stored == DType::i8 && !trained)) {
      memory.values += size * kFloat * (trained_before ? 2 : 1);
    } else if (!trained) {
      memory.mapped += size * (halves ? size_of(stored) : kFloat);
      return;
    }
    memory.code = kGeneratedCode;  // also for the gradients of what is trained
  };
  for (const ParameterInfo& parameter : bloom_parameters(config)) {
    const auto size = static_cast<std::uint64_t>(parameter.rows * parameter.cols);
    const bool trained = which.trained(parameter.name);
    if (parameter.kind == ParameterKind::matrix) add_matrix(size, trained);
    if (trained) {
      memory.values += size * kFloat;
      memory.gradients += 3 * size * kFloat;
    } else if (parameter.kind == ParameterKind::vector) {
      memory.values += size * kFloat;
    } else if (parameter.kind == ParameterKind::embedding) {
      memory.mapped += size * (halves ? size_of(stored) : kFloat);
    }
    trained_before |= trained;
  }
  return memory;
}

std::uint64_t forward_working_bytes(const BloomConfig& config, std::int64_t tokens) {
  // The residual stream, a LayerNorm's output, and four d of the feed-forward part (or three of q, k, v).
  return floats(tokens, 6 * config.hidden);
}

std::uint64_t training_working_bytes(const BloomConfig& config, std::int64_t tokens, Keep keep, bool matrices_trained) {
  const std::int64_t d = config.hidden;
  // The gradients of hidden states and residual stream, and those within the feed-forward part.
  std::int64_t backward = 2 * d + 5 * d;
  // The input of the widest matrix and its gradient, and both as the product for the matrix' gradient wants them.
  if (matrices_trained) backward += 4 * d + 4 * d + d;
  if (keep == Keep::inputs) backward += 8 * d + (matrices_trained ? d : 0);
  return floats(tokens, std::max(backward, 6 * d));
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

std::int64_t parameter_count(const BloomConfig& config) {
  std::int64_t count = 0;
  for (const ParameterInfo& parameter : bloom_parameters(config)) count += parameter.rows * parameter.cols;
  return count;
}

}  // namespace sgpt
