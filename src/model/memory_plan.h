// How much memory a model takes, planned before it is loaded, and the refusal of what cannot fit.
#pragma once

#include <cstdint>
#include <string>

#include "model/architecture.h"
#include "model/decoder.h"
#include "tensor/dtype.h"

namespace sgpt {

/// Bytes.
struct WeightsMemory {
  std::uint64_t values = 0;     ///< packed matrices, vectors, and what is trained
  std::uint64_t mapped = 0;     ///< pages of the weights' files in use: resident, but the kernel can take them back
  std::uint64_t gradients = 0;  ///< of what is trained, with the optimiser's two moments

  std::uint64_t total() const { return unavoidable() + mapped; }
  std::uint64_t unavoidable() const { return values + gradients; }
};

/// The weights of a model whose matrices lie on the disk as `stored` (matrix_type), as Decoder and the backend hold
/// them.
WeightsMemory plan_weights(const Backend& backend, const Architecture& config, DType stored,
                           const TrainedParameters& which = {}, ComputeType compute = ComputeType::f32);

/// So many bytes for each token; what no machine has, where the number would not fit.
std::uint64_t bytes_of_tokens(std::int64_t tokens, std::int64_t bytes_a_token);

/// What a pass over so many tokens takes beside what it keeps for backward. Bytes.
std::uint64_t forward_working_bytes(const LayerPlan& plan, std::int64_t tokens);
/// The same with the backward pass: over a layer whose activations were kept, or computed again from its input.
std::uint64_t training_working_bytes(const LayerPlan& plan, std::int64_t tokens, Keep keep, bool matrices_trained);

/// The program itself, and its libraries.
inline constexpr std::uint64_t kProgramBytes = std::uint64_t{26} << 20;

/// "4.2 GB".
std::string in_gigabytes(std::uint64_t bytes);

/// Throws MachineError when `needed` is more than is free: "WHAT takes about 5.1 GB of memory, but only 3.0 GB are
/// free; ADVICE". Each of `processes` on this machine needs as much.
void require_memory(const std::string& what, std::uint64_t needed, const std::string& advice,
                    std::int64_t processes = 1);

/// The number of parameters.
std::int64_t parameter_count(const Architecture& config);

}  // namespace sgpt
