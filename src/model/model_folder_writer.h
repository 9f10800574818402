// Writes a sentence-transformers folder that sentence-transformers 2.x to 6.x and sgpt load.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "model/model_folder.h"
#include "model/safetensors.h"

namespace sgpt {

/// Throws UserError when `target` exists and is anything but an empty folder: to be asked before long work begins.
void require_new_folder(const std::filesystem::path& target);

/// A text beside the model's own files.
struct FileToWrite {
  std::string name;  ///< in the folder; may lie in one of its own ("eval/scores.csv")
  std::string text;
};

/// Writes everything into a folder beside `target` and renames it at the end: `target` is whole or not there.
/// Of `settings` the configuration, pooling, modules, prompts, similarity, lower_case, max_seq_length and brackets are
/// written, not the paths. `source` is a folder whose config.json (with keys that sgpt does not know) and tokenizer
/// files are carried over, or the tokenizer.json alone; what is missing is made. `card` is the text of README.md;
/// empty: none; `more` is put there too. Tensor names come without "transformer.". Throws as require_new_folder does,
/// UserError when the source is broken, MachineError when writing fails.
void write_model_folder(const ModelFolder& settings, const std::filesystem::path& source,
                        const std::filesystem::path& target, std::span<const TensorToWrite> tensors,
                        std::string_view card = {}, std::span<const FileToWrite> more = {});

/// The same for a PEFT adapter (LoRA): `config` is the text of its adapter_config.json, the tensors are its own, and
/// there is no config.json. The tokenizer is that of `settings`.
void write_adapter_folder(const ModelFolder& settings, std::string_view config, const std::filesystem::path& target,
                          std::span<const TensorToWrite> tensors, std::string_view card = {},
                          std::span<const FileToWrite> more = {});

}  // namespace sgpt
