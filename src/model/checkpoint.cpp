#include "model/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "model/describe.h"
#include "model/json_file.h"
#include "model/safetensors.h"
#include "model/torch_archive.h"
#include "sgpt/error.h"
#include "tensor/quantize.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "transformer.";

/// Tensor name, as the file spells it, to the file's name.
using ShardOf = std::vector<std::pair<std::string, std::string>>;

/// A shard lies in the folder itself: an index must not lead anywhere else.
bool plain_name(const std::string& file) {
  return !file.empty() && file != "." && file != ".." && file.find('/') == std::string::npos &&
         file.find('\0') == std::string::npos;
}

ShardOf read_index(const fs::path& path) {
  const JsonFile index(path);
  const auto* map = index.find("weight_map");
  if (!map || !map->is_object() || map->empty()) index.fail("weight_map", "an object {tensor: file}");
  ShardOf shards;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !plain_name(file.get_ref<const std::string&>())) {
      throw UserError(fmt::format("{}: weight_map: {}: expected the name of a file in the same folder, found {}",
                                  path.string(), shown(tensor), shown_json(file)));
    }
    shards.emplace_back(tensor, file.get<std::string>());
  }
  return shards;
}

bool is_git_lfs_pointer(std::span<const std::byte> bytes) {
  static constexpr std::string_view kStart = "version https://git-lfs";
  return bytes.size() >= kStart.size() && std::memcmp(bytes.data(), kStart.data(), kStart.size()) == 0;
}

/// Of the types that are computed with.
bool is_floating(DType type) { return type == DType::f32 || type == DType::f16 || type == DType::bf16; }

}  // namespace

ConstMatrix CheckpointTensor::matrix() const {
  if (shape.empty() || shape.size() > 2) {
    throw UserError(fmt::format("{}: tensor {}: expected one or two dimensions, found the shape {}", file.string(),
                                shown(name), shown_shape(shape)));
  }
  return {bytes.data(), shape.size() == 2 ? shape[0] : 1, shape.back(), type};
}

Checkpoint Checkpoint::open(const fs::path& folder) {
  static constexpr std::string_view kFiles[] = {"model.safetensors", "pytorch_model.bin"};
  std::error_code none;
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  for (const std::string_view name : kFiles) {
    const fs::path single = folder / name;
    if (fs::exists(single, none)) {
      checkpoint.add_file(single);
      return checkpoint;
    }
    const fs::path index = folder / (std::string(name) + ".index.json");
    if (!fs::exists(index, none)) continue;
    const ShardOf shards = read_index(index);
    std::set<std::string> files;
    for (const auto& [tensor, file] : shards) files.insert(file);
    for (const std::string& file : files) checkpoint.add_file(folder / file);
    for (const auto& [tensor, file] : shards) {
      const std::string_view bare =
          tensor.starts_with(kPrefix) ? std::string_view(tensor).substr(kPrefix.size()) : std::string_view(tensor);
      const CheckpointTensor* found = checkpoint.find(bare);
      if (found && found->file == folder / file) continue;
      throw UserError(
          fmt::format("{}: tensor {} should be in {}, but is not there", index.string(), shown(tensor), shown(file)));
    }
    return checkpoint;
  }
  throw UserError(
      fmt::format("{}: no weights found: expected model.safetensors, model.safetensors.index.json, "
                  "pytorch_model.bin or pytorch_model.bin.index.json",
                  folder.string()));
}

void Checkpoint::add_file(const fs::path& path) {
  MappedFile file(path);
  if (is_git_lfs_pointer(file.bytes())) {
    throw UserError(fmt::format("{}: a git-lfs pointer, not the weights themselves; fetch them with \"git lfs pull\"",
                                path.string()));
  }
  const bool safetensors = path.extension() == ".safetensors";
  std::vector<CheckpointTensor> tensors =
      safetensors ? read_safetensors(file.bytes(), path) : read_torch_archive(file.bytes(), path);
  files_.push_back(std::move(file));
  for (CheckpointTensor& tensor : tensors) add_tensor(std::move(tensor));
}

/// Rare: safetensors files of early writers, whose header has any length.
void Checkpoint::align(CheckpointTensor& tensor) {
  if (std::bit_cast<std::uintptr_t>(tensor.bytes.data()) % size_of(tensor.type) == 0) return;
  copies_.push_back(std::make_unique<std::byte[]>(tensor.bytes.size()));
  std::copy(tensor.bytes.begin(), tensor.bytes.end(), copies_.back().get());
  tensor.bytes = {copies_.back().get(), tensor.bytes.size()};
  tensor.mapped = false;
}

void Checkpoint::add_tensor(CheckpointTensor tensor) {
  tensor.prefixed = tensor.name.starts_with(kPrefix);
  if (tensor.prefixed) tensor.name.erase(0, kPrefix.size());
  align(tensor);
  const auto [known, added] = index_.emplace(tensor.name, tensors_.size());
  if (!added) {
    throw UserError(fmt::format("{}: tensor {} is already in {}", tensor.file.string(), shown(tensor.name),
                                tensors_[known->second].file.string()));
  }
  tensors_.push_back(std::move(tensor));
}

void Checkpoint::replace_with(const fs::path& safetensors) {
  MappedFile file(safetensors);
  for (CheckpointTensor& tensor : read_safetensors(file.bytes(), safetensors)) {
    const auto known = index_.find(tensor.name);
    if (known == index_.end() || tensors_[known->second].shape != tensor.shape) {
      const std::string found = known == index_.end() ? "none" : shown_shape(tensors_[known->second].shape);
      throw UserError(fmt::format("{}: tensor {} has the shape {}, but in {} it has {}: they are of different models",
                                  safetensors.string(), shown(tensor.name), shown_shape(tensor.shape), folder_.string(),
                                  found));
    }
    align(tensor);
    tensors_[known->second] = std::move(tensor);
  }
  files_.push_back(std::move(file));
}

const CheckpointTensor* Checkpoint::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const CheckpointTensor& Checkpoint::require_shape(std::string_view name, std::span<const std::int64_t> shape) const {
  const CheckpointTensor* tensor = find(name);
  if (!tensor) {
    throw UserError(fmt::format("{}: the weights have no tensor {}; expected one of shape {}", folder_.string(),
                                shown(name), shown_shape(shape)));
  }
  if (!std::equal(shape.begin(), shape.end(), tensor->shape.begin(), tensor->shape.end())) {
    throw UserError(fmt::format("{}: tensor {}: the configuration asks for the shape {}, found {}",
                                tensor->file.string(), shown(name), shown_shape(shape), shown_shape(tensor->shape)));
  }
  return *tensor;
}

const CheckpointTensor& Checkpoint::require(std::string_view name, std::span<const std::int64_t> shape) const {
  const CheckpointTensor& tensor = require_shape(name, shape);
  if (is_floating(tensor.type)) return tensor;
  throw UserError(fmt::format("{}: tensor {}: expected numbers of the type f32, f16 or bf16, found {}{}",
                              tensor.file.string(), shown(name), name_of(tensor.type),
                              tensor.type == DType::f64  ? "; sgpt convert --dtype f32 makes them f32"
                              : tensor.type == DType::i8 ? "; 8-bit integers serve to embed with, not for training or "
                                                           "converting: take the model that they were made from"
                                                         : ""));
}

const CheckpointTensor& Checkpoint::require_matrix(std::string_view name, std::span<const std::int64_t> shape) const {
  const CheckpointTensor& tensor = require_shape(name, shape);
  return tensor.type == DType::i8 ? tensor : require(name, shape);
}

const CheckpointTensor& Checkpoint::scales_of(const CheckpointTensor& matrix) const {
  const std::string name = std::string(matrix.name).append(kScalesSuffix);
  const std::int64_t shape[] = {matrix.shape[0], quantization_blocks(matrix.shape[1])};
  const CheckpointTensor& scales = require_shape(name, shape);
  if (scales.type == DType::f32) return scales;
  throw UserError(fmt::format("{}: tensor {}: expected scales of f32, found {}", scales.file.string(), shown(name),
                              name_of(scales.type)));
}

std::size_t Checkpoint::bytes() const {
  std::size_t sum = 0;
  for (const CheckpointTensor& tensor : tensors_) sum += tensor.bytes.size();
  return sum;
}

std::vector<fs::path> Checkpoint::files() const {
  std::vector<fs::path> result;
  for (const MappedFile& file : files_) result.push_back(file.path());
  return result;
}

}  // namespace sgpt
