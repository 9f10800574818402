// The tensors of a model folder, memory-mapped, in the types that they have on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mapped_file.h"
#include "tensor/dtype.h"
#include "tensor/matrix.h"

namespace sgpt {

struct CheckpointTensor {
  std::string name;       ///< without the prefix "transformer."
  bool prefixed = false;  ///< the file spells it with that prefix
  DType type = DType::f32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< valid as long as the Checkpoint
  std::filesystem::path file;
  bool mapped = true;  ///< the bytes lie in the file, not in a copy of them: drop_pages is for these alone

  /// As a matrix; a vector is one row. Only for one or two dimensions.
  ConstMatrix matrix() const;
};

/// What is put behind a matrix' name for its scales.
inline constexpr std::string_view kScalesSuffix = "_scales";

/// model.safetensors, model.safetensors.index.json, pytorch_model.bin or pytorch_model.bin.index.json, in this order.
/// Const member functions are thread-safe.
class Checkpoint {
 public:
  /// Maps the weights of a folder. Throws UserError when none are there or a file is broken.
  static Checkpoint open(const std::filesystem::path& folder);

  /// Takes the tensors of a safetensors file in place of the folder's own, as a run's checkpoint has them. Throws
  /// UserError when the folder lacks one of them, or has it in another shape.
  void replace_with(const std::filesystem::path& safetensors);

  /// Null when there is no such tensor.
  const CheckpointTensor* find(std::string_view name) const;
  /// Throws UserError when the tensor is missing, has another shape, or is of another type than f32, f16 and bf16.
  const CheckpointTensor& require(std::string_view name, std::span<const std::int64_t> shape) const;
  /// The same for the matrix of a Linear, which may also be of i8 with scales (tensor/quantize.h) beside it: a tensor
  /// of that name and kScalesSuffix, f32 [out, quantization_blocks(in)].
  const CheckpointTensor& require_matrix(std::string_view name, std::span<const std::int64_t> shape) const;
  /// The scales of a matrix of i8 that require_matrix gave.
  const CheckpointTensor& scales_of(const CheckpointTensor& matrix) const;

  std::span<const CheckpointTensor> tensors() const { return tensors_; }
  std::size_t bytes() const;  ///< of all tensors
  std::vector<std::filesystem::path> files() const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  void add_file(const std::filesystem::path& path);
  void add_tensor(CheckpointTensor tensor);
  void align(CheckpointTensor& tensor);
  const CheckpointTensor& require_shape(std::string_view name, std::span<const std::int64_t> shape) const;

  std::filesystem::path folder_;
  std::vector<MappedFile> files_;
  std::vector<std::unique_ptr<std::byte[]>> copies_;  // of tensors that do not lie in their file as their type asks
  std::vector<CheckpointTensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace sgpt
