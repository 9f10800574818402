// Reads the tokenizer.json of the `tokenizers` library into the parts of ours.
#pragma once

#include <filesystem>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pre_tokenizer.h"

namespace sgpt {

struct TokenizerParts {
  BpeModel model;
  PreTokenizer pre_tokenizer;
  std::vector<AddedToken> added_tokens;
  bool decodes_bytes = true;  // decoder ByteLevel; without a decoder tokens are joined by spaces
};

/// Throws UserError naming the file, the place in it, what was expected and what was found: when the file is missing or
/// broken, and for every part that is not supported. "truncation" and "padding" are not looked at: cutting is the
/// Encoder's business, and we never pad.
TokenizerParts read_tokenizer_file(const std::filesystem::path& path);

}  // namespace sgpt
