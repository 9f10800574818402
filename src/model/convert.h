// From a model folder of any readable kind to one of the same kind whose weights are safetensors of a chosen type.
// Weights are streamed: the memory does not depend on the model's size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

namespace sgpt {

/// int8: the matrices of Linear layers as 8-bit integers with scales (tensor/quantize.h), all else as it is.
enum class WeightType { f32, f16, bf16, int8 };

std::string_view name_of(WeightType type);
std::optional<WeightType> weight_type_from(std::string_view name);

struct ConvertOptions {
  WeightType type = WeightType::bf16;
  std::uint64_t shard_bytes = 5'000'000'000;  ///< of data in a file, at most
  std::filesystem::path adapter = {};         ///< folder of a PEFT adapter of the source; the source may be one itself
  bool merge_adapter = false;                 ///< write the weights with the adapter added, which then lie in memory
  /// Bytes of the source that were read, and all there are to read; what it throws ends the conversion.
  std::function<void(std::uint64_t done, std::uint64_t total)> on_progress = {};
};

struct ConvertResult {
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;  ///< of the data written
  std::uint64_t files = 0;  ///< of weights
};

/// Writes `target`, which is whole or not there: configuration, tokenizer, pooling and card are those of `source`.
/// Throws UserError when there is an adapter that is not to be merged, when `target` exists and is no empty folder,
/// when the source is broken or is of 8-bit integers already, or when one of its numbers cannot be expressed in the
/// type; MachineError when the disk is too small or writing fails.
ConvertResult convert_model(const std::filesystem::path& source, const std::filesystem::path& target,
                            const ConvertOptions& options);

}  // namespace sgpt
