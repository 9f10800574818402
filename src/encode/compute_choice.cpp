#include "encode/compute_choice.h"

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt {

ComputeType choose_compute(std::optional<ComputeType> wanted, const Backend& backend, DType stored) {
  const bool automatic = wanted == ComputeType::automatic;
  if (wanted && !automatic) {
    if (backend.computes(*wanted)) return *wanted;
    throw UserError(fmt::format("the {} backend cannot compute in {} on this machine{}; f32 always works",
                                backend.name(), name_of(*wanted),
                                backend.name() == "cpu" ? ", whose processor has no instructions for it" : ""));
  }
  if (stored == DType::i8 && backend.computes(ComputeType::int8)) return ComputeType::int8;
  const bool halves = stored == DType::bf16 || stored == DType::f16;
  return automatic && halves && backend.gains_from_bf16() ? ComputeType::bf16 : ComputeType::f32;
}

}  // namespace sgpt
