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
  std::string name;    ///< without the prefix of a causal model: "transformer." or "model."
  std::string prefix;  ///< that the file spells it with, or none
  DType type = DType::f32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< valid as long as the Checkpoint
  std::filesystem::path file;
  bool mapped = true;  ///< the bytes lie in the file, not in a copy of them: drop_pages is for these alone
  /// What it is where sgpt cannot use it ("numbers of the type F8_E4M3"); then type and bytes say nothing. Else empty.
  std::string foreign = {};

  /// As a matrix; a vector is one row. Only for one or two dimensions.
  ConstMatrix matrix() const;
};

/// What is put behind a matrix' name for its scales.
inline constexpr std::string_view kScalesSuffix = "_scales";

/// The first of kWeightFiles (formats/model_files.h) that is there. What nobody asks for may be of any kind, and may
/// even be missing where an index lists it. A model whose embedding was kept as "lm_head.weight" alone, which is tied
/// to it, has it under its own name too. Const member functions are thread-safe.
class Checkpoint {
 public:
  /// Maps the weights of a folder. Throws UserError when none are there or a file is broken.
  static Checkpoint open(const std::filesystem::path& folder);

  /// Takes the tensors of a safetensors file in place of the folder's own, as a run's checkpoint has them. Throws
  /// UserError when the folder lacks one of them, or has it in another shape.
  void replace_with(const std::filesystem::path& safetensors);

  /// Takes these bytes, of the tensor's own type and shape, in the place of those of the file. There must be such a
  /// tensor.
  void replace(std::string_view name, std::unique_ptr<std::byte[]> bytes);
  /// Bytes of such tensors, which lie in memory.
  std::size_t replaced_bytes() const { return replaced_bytes_; }

  /// Null when there is no such tensor.
  const CheckpointTensor* find(std::string_view name) const;
  /// Throws UserError when the tensor is missing, has another shape, or is of another type than f32, f16 and bf16.
  const CheckpointTensor& require(std::string_view name, std::span<const std::int64_t> shape) const;
  /// The same for the matrix of a Linear, which may also be of i8 with scales (tensor/quantize.h) beside it: a tensor
  /// of that name and kScalesSuffix, f32 [out, quantization_blocks(in)].
  const CheckpointTensor& require_matrix(std::string_view name, std::span<const std::int64_t> shape) const;
  /// The scales of a matrix of i8 that require_matrix gave.
  const CheckpointTensor& scales_of(const CheckpointTensor& matrix) const;

  std::span<const CheckpointTensor> tensors() const { return tensors_; }  ///< without the foreign ones
  std::span<const CheckpointTensor> foreign() const { return foreign_; }
  std::size_t bytes() const;  ///< of all tensors
  std::vector<std::filesystem::path> files() const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  void add_file(const std::filesystem::path& path);
  void add_tensor(CheckpointTensor tensor);
  void add_index(const std::filesystem::path& path);
  void align(CheckpointTensor& tensor);
  void find_tied_embedding();
  /// Its place in tensors_, or null.
  const std::size_t* place_of(std::string_view name) const;
  [[noreturn]] void fail_missing(std::string_view name, std::span<const std::int64_t> shape) const;
  const CheckpointTensor& require_shape(std::string_view name, std::span<const std::int64_t> shape) const;

  std::filesystem::path folder_;
  std::vector<MappedFile> files_;
  std::vector<std::unique_ptr<std::byte[]>> copies_;  // of tensors that do not lie in their file as their type asks
  std::vector<CheckpointTensor> tensors_;
  std::vector<CheckpointTensor> foreign_;
  std::unordered_map<std::string, std::size_t> index_;
  std::unordered_map<std::string, std::string> listed_;  // of an index.json: tensor to the file that should have it
  std::filesystem::path list_;                           // that index.json
  std::size_t replaced_bytes_ = 0;
  bool embedding_is_head_ = false;  // the word embedding is kept as kHead alone
};

}  // namespace sgpt
