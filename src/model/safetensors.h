// The safetensors format (https://github.com/huggingface/safetensors): eight bytes with the header's length, a JSON
// header {name: {dtype, shape, data_offsets}}, and the tensors' bytes end to end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "tensor/dtype.h"

namespace sgpt {

/// The tensors of a file that lies in `bytes`, in the order of their data; names as they stand in the file. `path` is
/// for messages. Throws UserError when the header lies in any way: then nothing out of `bytes` was touched.
std::vector<CheckpointTensor> read_safetensors(std::span<const std::byte> bytes, const std::filesystem::path& path);

/// The same for a mapped file, which must outlive the tensors.
inline std::vector<CheckpointTensor> read_safetensors(const MappedFile& file) {
  return read_safetensors(file.bytes(), file.path());
}

/// A tensor to be written: its bytes, or a function that makes them piece by piece when their turn comes.
struct TensorToWrite {
  std::string name;
  DType type = DType::f32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  /// Where set, called for consecutive pieces of a few MiB, whole elements each: `piece` = the bytes from `first` on.
  std::function<void(std::uint64_t first, std::span<std::byte> piece)> fill;
};

/// Writes a file that appears under its name when it is whole. Memory: one piece. Throws MachineError when writing
/// fails.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors);

}  // namespace sgpt
