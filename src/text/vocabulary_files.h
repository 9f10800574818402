// The older form of a byte-level BPE tokenizer, vocab.json and merges.txt without a tokenizer.json (GPT-2's first
// repositories), as transformers makes a tokenizer of it.
#pragma once

#include <filesystem>
#include <string>

#include "text/tokenizer_file.h"

namespace sgpt {

/// Whether a folder has one of the two files, and no tokenizer.json.
bool has_vocabulary_files(const std::filesystem::path& folder);

/// The class of tokenizer that the folder is for: tokenizer_config.json's `named`, where there is one, else that of the
/// model_type in config.json. Throws UserError when it is none that we can build, which are GPT-2's and Qwen's.
std::string vocabulary_files_class(const std::filesystem::path& folder, const std::string& named);

/// The parts for such a class, without added tokens. Throws UserError naming file and line where one of the two is
/// missing or broken.
TokenizerParts read_vocabulary_files(const std::filesystem::path& folder, const std::string& tokenizer_class);

}  // namespace sgpt
