// Which prompt stands before a text: the rules of sentence-transformers' encode_query, encode_document and encode.
#pragma once

#include <string>
#include <string_view>

#include "model/model_folder.h"
#include "sgpt/encoder.h"

namespace sgpt {

/// "query", "document", "plain".
std::string_view name_of(TextKind kind);

/// The prompt before texts of a kind, "" for none: the one that was chosen, else the folder's own of the name "query"
/// or "document", or for plain texts its default. Throws UserError when both text and name were given, the folder has
/// no prompt of that name, or the text is no valid UTF-8.
std::string choose_prompt(const ModelFolder& folder, TextKind kind, const PromptChoice& choice);

/// Of a folder whose prompts all stay unused for texts of a kind that may want one: a sentence that says so. Else "".
std::string unused_prompts(const ModelFolder& folder, TextKind kind, const PromptChoice& choice);

}  // namespace sgpt
