// What the files beside a tokenizer.json say about it, read as transformers does: tokenizer_config.json,
// special_tokens_map.json and added_tokens.json.
#pragma once

#include <filesystem>

#include "text/tokenizer_file.h"

namespace sgpt {

/// The parts of the tokenizer in a model's folder, where vocab.json and merges.txt do instead of a tokenizer.json
/// (vocabulary_files.h). Beyond read_tokenizer_file(folder / "tokenizer.json"):
/// - tokens that only the other files name are added, with the next free ids; flags there replace those of
///   tokenizer.json;
/// - split_special_tokens; truncation_side; add_prefix_space, for the classes that take it from there;
/// - add_bos_token and add_eos_token, where the post_processor does not put the token there already; one log line says
///   so, for transformers 4 does the same and transformers 5 does not.
/// Throws UserError as read_tokenizer_file does.
TokenizerParts read_tokenizer_folder(const std::filesystem::path& folder);

}  // namespace sgpt
