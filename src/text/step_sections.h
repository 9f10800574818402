// The sections of a tokenizer.json that are steps around the model: one of them, or a Sequence of several.
#pragma once

#include "sgpt/tokenizer.h"
#include "text/decoder.h"
#include "text/json_node.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"

namespace sgpt {

// Each is empty where `root` lacks its section, and throws UserError for what is not known in it.

Normalizer read_normalizer(const JsonNode& root);
PreTokenizer read_pre_tokenizer(const JsonNode& root);
/// What the post_processor puts around a text.
SpecialTokens read_post_processor(const JsonNode& root);
Decoder read_decoder(const JsonNode& root);

}  // namespace sgpt
