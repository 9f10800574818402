// PyTorch's .bin files: a zip archive with a pickle of {name: tensor} and one entry for every storage.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "model/checkpoint.h"

namespace sgpt {

/// The tensors of a file that lies in `bytes`, in the order of the pickle; names as they stand in the file; the bytes
/// are views. `path` is for messages. Nothing in the pickle is executed: it may name the few classes and functions that
/// a dict of tensors needs, and everything else is refused by name. Throws UserError.
std::vector<CheckpointTensor> read_torch_archive(std::span<const std::byte> bytes, const std::filesystem::path& path);

}  // namespace sgpt
