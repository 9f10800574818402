#include "model/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/hub_path.h"
#include "formats/json_file.h"
#include "formats/model_files.h"
#include "model/describe.h"
#include "model/parameters.h"
#include "model/safetensors.h"
#include "model/torch_archive.h"
#include "sgpt/error.h"
#include "tensor/quantize.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefixes[] = {"transformer.", "model."};

// The output layer of a causal model, which may be tied to the embedding.
constexpr std::string_view kHead = "lm_head.weight";

/// What a causal model puts before the names of the model within it; else none.
std::string_view prefix_of(std::string_view name) {
  for (const std::string_view prefix : kPrefixes) {
    if (name.starts_with(prefix)) return prefix;
  }
  return {};
}

std::string_view without_prefix(std::string_view name) { return name.substr(prefix_of(name).size()); }

bool is_git_lfs_pointer(std::span<const std::byte> bytes) {
  static constexpr std::string_view kStart = "version https://git-lfs";
  return bytes.size() >= kStart.size() && std::memcmp(bytes.data(), kStart.data(), kStart.size()) == 0;
}

[[noreturn]] void fail_foreign(const CheckpointTensor& tensor) {
  throw UserError(fmt::format("{}: tensor {}: expected numbers of the type f32, f16 or bf16, found {}",
                              tensor.file.string(), shown(tensor.name), tensor.foreign));
}

/// Masks and tables that checkpoints of GPTs and early Llamas carry beside their parameters: never computed with,
/// trained or written.
bool is_buffer(std::string_view name) {
  static constexpr std::string_view kEnds[] = {".attn.bias",
                                               ".attn.masked_bias",
                                               ".attn.attention.bias",
                                               ".attn.attention.masked_bias",
                                               ".attn.embed_positions",
                                               ".rotary_emb.inv_freq"};
  return std::any_of(std::begin(kEnds), std::end(kEnds), [&](std::string_view end) { return name.ends_with(end); });
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
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  const auto file = std::find_if(kWeightFiles.begin(), kWeightFiles.end(),
                                 [&](std::string_view name) { return present(folder / name); });
  if (file == kWeightFiles.end()) {
    throw UserError(fmt::format("{}: no weights found: expected {}{}", folder.string(), fmt::join(kWeightFiles, " or "),
                                foreign_weights(file_names(folder))));
  }
  if (is_index(*file)) {
    checkpoint.add_index(folder / *file);
  } else {
    checkpoint.add_file(folder / *file);
  }
  checkpoint.find_tied_embedding();
  return checkpoint;
}

void Checkpoint::add_index(const fs::path& path) {
  const WeightIndex index = read_weight_index(path);
  for (const std::string& file : index.shards()) {
    // A file that is not there is missed by whoever asks for a tensor of it.
    if (present(folder_ / file)) add_file(folder_ / file);
  }
  for (const auto& [tensor, file] : index.files) listed_.emplace(without_prefix(tensor), file);
  list_ = path;
}

void Checkpoint::add_file(const fs::path& path) {
  MappedFile file(path);
  if (is_git_lfs_pointer(file.bytes())) {
    throw UserError(fmt::format("{}: a git-lfs pointer, not the weights themselves; fetch them with \"git lfs pull\"",
                                path.string()));
  }
  std::vector<CheckpointTensor> tensors;
  try {
    tensors = path.extension() == ".safetensors" ? read_safetensors(file.bytes(), path)
                                                 : read_torch_archive(file.bytes(), path);
  } catch (const UserError& error) {
    throw UserError(error.what() + repair_advice(path));
  }
  files_.push_back(std::move(file));
  for (CheckpointTensor& tensor : tensors) add_tensor(std::move(tensor));
}

/// safetensors keeps one of two tensors that share their memory: of an embedding and the output layer tied to it, that
/// may be the latter.
void Checkpoint::find_tied_embedding() {
  const auto is_embedding = [](const auto& entry) { return is_word_embedding(entry.first); };
  if (!place_of(kHead) || std::any_of(index_.begin(), index_.end(), is_embedding)) return;
  const std::optional<JsonFile> config = JsonFile::if_present(folder_ / "config.json");
  embedding_is_head_ = !config || config->boolean("tie_word_embeddings").value_or(true);
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
  if (is_buffer(tensor.name)) return;
  tensor.prefix = prefix_of(tensor.name);
  tensor.name.erase(0, tensor.prefix.size());
  if (!tensor.foreign.empty()) {
    foreign_.push_back(std::move(tensor));
    return;
  }
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
    if (!tensor.foreign.empty()) fail_foreign(tensor);
    const std::size_t* known = place_of(tensor.name);
    if (!known || tensors_[*known].shape != tensor.shape) {
      const std::string found = known ? shown_shape(tensors_[*known].shape) : "none";
      throw UserError(fmt::format("{}: tensor {} has the shape {}, but in {} it has {}: they are of different models",
                                  safetensors.string(), shown(tensor.name), shown_shape(tensor.shape), folder_.string(),
                                  found));
    }
    align(tensor);
    tensors_[*known] = std::move(tensor);
  }
  files_.push_back(std::move(file));
}

void Checkpoint::replace(std::string_view name, std::unique_ptr<std::byte[]> bytes) {
  CheckpointTensor& tensor = tensors_.at(*place_of(name));
  copies_.push_back(std::move(bytes));
  tensor.bytes = {copies_.back().get(), tensor.bytes.size()};
  tensor.mapped = false;
  replaced_bytes_ += tensor.bytes.size();
}

const std::size_t* Checkpoint::place_of(std::string_view name) const {
  const auto found = index_.find(std::string(embedding_is_head_ && is_word_embedding(name) ? kHead : name));
  return found == index_.end() ? nullptr : &found->second;
}

const CheckpointTensor* Checkpoint::find(std::string_view name) const {
  const std::size_t* place = place_of(name);
  return place ? &tensors_[*place] : nullptr;
}

void Checkpoint::fail_missing(std::string_view name, std::span<const std::int64_t> shape) const {
  const auto other =
      std::find_if(foreign_.begin(), foreign_.end(), [&](const auto& tensor) { return tensor.name == name; });
  if (other != foreign_.end()) fail_foreign(*other);
  if (const auto listed = listed_.find(std::string(name)); listed != listed_.end()) {
    throw UserError(fmt::format(
        "{}: tensor {} should be in {}, but {}{}", list_.string(), shown(name), shown(listed->second),
        present(folder_ / listed->second) ? "is not there" : "there is no such file", repair_advice(list_)));
  }
  throw UserError(fmt::format("{}: the weights have no tensor {}; expected one of shape {}{}", folder_.string(),
                              shown(name), shown_shape(shape),
                              is_word_embedding(name) && place_of(kHead)
                                  ? "; there is lm_head.weight, but config.json says by tie_word_embeddings that it is "
                                    "another one"
                                  : foreign_weights(file_names(folder_))));
}

const CheckpointTensor& Checkpoint::require_shape(std::string_view name, std::span<const std::int64_t> shape) const {
  const CheckpointTensor* tensor = find(name);
  if (!tensor) fail_missing(name, shape);
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
