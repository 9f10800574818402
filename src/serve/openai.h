// The shapes of OpenAI's interface, with Voyage's names for the same things.
#pragma once

#include <string>

#include "serve/embed_request.h"

namespace sgpt::serve::openai {

/// Of /v1/embeddings. Throws Failure.
EmbedRequest read_embeddings(std::shared_ptr<const JsonBody> body, const InputRules& rules);
std::string embeddings(const EmbedRequest& request, const EmbedAnswer& answer, const std::string& model);

}  // namespace sgpt::serve::openai
