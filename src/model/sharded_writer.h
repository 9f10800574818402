// Weights in one file, or in several with an index, as the hub lays large models out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "model/safetensors.h"

namespace sgpt {

/// The bytes of a tensor's data.
std::uint64_t bytes_of(const TensorToWrite& tensor);

/// Writes model.safetensors, or, where the tensors take more than `shard_bytes`, files model-00001-of-0000N.safetensors
/// of at most so many bytes of data (a larger tensor is alone in its file) and model.safetensors.index.json. Returns
/// the names of the weight files. `folder` must hold no weights yet. Throws MachineError when writing fails.
std::vector<std::string> write_sharded(const std::filesystem::path& folder, std::span<const TensorToWrite> tensors,
                                       std::uint64_t shard_bytes);

}  // namespace sgpt
