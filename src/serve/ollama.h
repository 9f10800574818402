// The shapes of ollama's interface.
#pragma once

#include <string>

#include "serve/embed_request.h"

namespace sgpt::serve::ollama {

/// Of /api/embed ("input") or the older /api/embeddings ("prompt", one text). Throws Failure.
EmbedRequest read_embed(std::shared_ptr<const JsonBody> body, const InputRules& rules, bool old);
std::string embeddings(const EmbedAnswer& answer, const std::string& model, std::int64_t nanoseconds);
std::string one_embedding(const EmbedAnswer& answer);
/// Of /api/tags.
std::string tags(const std::vector<std::string>& names, const std::string& dtype);

}  // namespace sgpt::serve::ollama
