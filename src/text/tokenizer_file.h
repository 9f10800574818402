// Reads the tokenizer.json of the `tokenizers` library into the parts of ours.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sgpt/tokenizer.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"

namespace sgpt {

struct TokenizerParts {
  BpeModel model;
  Normalizer normalizer = {};
  PreTokenizer pre_tokenizer;
  std::vector<AddedToken> added_tokens;
  SpecialTokens special_tokens;  // what the post_processor puts around a text
  std::string pad_token = {};    // of the section "padding"; empty without one
  Decoder decoder = {};
  bool splits_special_tokens = false;  // special tokens in a text are text
  bool cuts_left = false;              // a text too long loses its begin instead of its end
};

/// Throws UserError naming the file, the place in it, what was expected and what was found: when the file is missing or
/// broken, and for every part and key that is not known. Of "truncation" only the direction is taken: the length is the
/// caller's business. Of "padding" only the token's name: we never pad.
TokenizerParts read_tokenizer_file(const std::filesystem::path& path);

/// The id that `tokenizers` gives to an added token, whatever the file says: the vocabulary's where the token stands in
/// it, else the next that is free behind vocabulary and added tokens.
std::uint32_t added_token_id(std::string_view content, const Vocabulary& vocabulary,
                             const std::vector<AddedToken>& added);

}  // namespace sgpt
