// Which type a model's products are computed in, where the options leave it open.
#pragma once

#include <filesystem>
#include <optional>

#include "backend/backend.h"
#include "base/communicator.h"
#include "sgpt/encoder.h"
#include "tensor/dtype.h"

namespace sgpt {

/// `wanted`, with automatic settled for weights that lie on disk as `stored`; unset is f32, or int8 where the weights
/// are. `use` is what automatic is timed for: forward for embeddings, both ways for training. Throws UserError when the
/// backend cannot compute in it on this machine.
ComputeType choose_compute_type(std::optional<ComputeType> wanted, Backend& backend, DType stored,
                                WeightUse use = WeightUse::forward);

/// One type for all ranks of a job: what rank 0 chose, where all of their processors can compute in it, else f32.
ComputeType agree_on_compute_type(ComputeType mine, const Backend& backend, Communicator& ranks);

/// The same for a model's folder: what ComputeType::automatic stands for on several machines that may differ. Called by
/// all ranks with the same model.
ComputeType common_compute_type(const std::filesystem::path& model_folder, const EncoderOptions& options,
                                Communicator& ranks);

}  // namespace sgpt
