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

/// A matrix of 8-bit integers beside its scales: NAME of type i8 and NAME_scales (tensor/quantize.h).
struct QuantizedTensor {
  const CheckpointTensor& values;  ///< [out, in], i8
  const CheckpointTensor& scales;  ///< [out, quantization_blocks(in)], f32
};

/// What is put behind a matrix' name for its scales.
inline constexpr std::string_view kScalesSuffix = "_scales";

/// model.safetensors, model.safetensors.index.json, pytorch_model.bin or pytorch_model.bin.index.json, in this order.
/// Const member functions are thread-safe.
class Checkpoint {
 public:
  /// Maps the weights of a folder. Throws UserError when none are there or a file is broken.
  static Checkpoint open(const std::filesystem::path& folder);

  /// Null when there is no such tensor.
  const CheckpointTensor* find(std::string_view name) const;
  /// Throws UserError when the tensor is missing, has another shape, or is not of f32, f16 or bf16.
  const CheckpointTensor& require(std::string_view name, std::span<const std::int64_t> shape) const;
  /// A matrix as `sgpt convert --dtype int8` writes it; nothing when the tensor is missing or no i8. Throws UserError
  /// when its shape or its scales are not as they must be.
  std::optional<QuantizedTensor> quantized(std::string_view name, std::span<const std::int64_t> shape) const;

  std::span<const CheckpointTensor> tensors() const { return tensors_; }
  std::size_t bytes() const;  ///< of all tensors
  std::vector<std::filesystem::path> files() const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  void add_file(const std::filesystem::path& path);
  void add_tensor(CheckpointTensor tensor);
  void check_shape(const CheckpointTensor& tensor, std::span<const std::int64_t> shape) const;

  std::filesystem::path folder_;
  std::vector<MappedFile> files_;
  std::vector<std::unique_ptr<std::byte[]>> copies_;  // of tensors that do not lie in their file as their type asks
  std::vector<CheckpointTensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace sgpt
