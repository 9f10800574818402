// The shapes of text-embeddings-inference.
#pragma once

#include <string>

#include "serve/embed_request.h"

namespace sgpt::serve::tei {

/// Of /embed. Throws Failure.
EmbedRequest read_embed(std::shared_ptr<const JsonBody> body, const InputRules& rules);
std::string embeddings(const EmbedRequest& request, const EmbedAnswer& answer);

/// Of /similarity: two requests, the sentence that others are compared with, and those. Each is of its own kind unless
/// the body says one for both.
struct SimilarityRequest {
  EmbedRequest source, sentences;
};
SimilarityRequest read_similarity(std::shared_ptr<const JsonBody> body, const InputRules& rules);
/// Whether a body that was posted to the root is one.
bool is_similarity(const JsonBody& body);

/// Of /rerank, in TEI's shape ("texts") or Cohere's and Jina's ("documents").
struct RerankRequest {
  EmbedRequest query, documents;
  bool cohere = false;
  bool return_texts = false;
  std::optional<std::int64_t> top_n = {};
};
RerankRequest read_rerank(std::shared_ptr<const JsonBody> body, const InputRules& rules);
/// Best first; of equal ones the first first. `id` is the answer's own in Cohere's shape.
std::string ranking(const RerankRequest& request, std::span<const float> scores, const std::string& id);

/// The cosines of rows of length 1 with one.
std::vector<float> products(const EmbedAnswer& one, const EmbedAnswer& others);
std::string numbers(std::span<const float> values);

}  // namespace sgpt::serve::tei
