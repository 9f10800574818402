// A PEFT adapter's tensors: added to the weights of its base model, or to go on training with.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "model/checkpoint.h"
#include "model/lora.h"
#include "model/model_folder.h"

namespace sgpt {

/// A handle, to be copied. Immutable; member functions are thread-safe.
class LoraAdapter {
 public:
  /// Reads adapter_config.json and maps adapter_model.safetensors or adapter_model.bin. Throws UserError, naming file
  /// and tensor, when something is missing or broken, or is not of a LoRA that sgpt computes.
  static LoraAdapter open(const std::filesystem::path& folder);

  /// W = W + s · B A for every matrix that it adapts, word embedding and output layer among them; computed in f32 and
  /// rounded to the type of W. What changes then lies in memory. Throws UserError when the weights have no such matrix,
  /// or have it in another shape or as integers.
  void merge_into(Checkpoint& weights, const Architecture& architecture) const;

  /// Its matrices, to be trained from where they are. Throws UserError when it adapts anything but matrices of the
  /// decoder's Linears.
  Lora lora(const Architecture& architecture) const;

 private:
  struct Content;
  explicit LoraAdapter(std::shared_ptr<const Content> content) : content_(std::move(content)) {}
  std::shared_ptr<const Content> content_;
};

/// The weights of a model, with its adapter added where it has one.
Checkpoint open_weights(const ModelFolder& folder);

}  // namespace sgpt
