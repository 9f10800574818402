// How similar two embeddings are: the four functions of sentence-transformers.
#pragma once

#include <optional>
#include <string_view>

namespace sgpt {

/// The higher, the more similar: distances are negated.
enum class Similarity {
  cosine,
  dot,        ///< the dot product
  euclidean,  ///< −|a − b|
  manhattan,  ///< −Σ |a_i − b_i|
};

/// "cosine", "dot", "euclidean", "manhattan".
std::string_view name_of(Similarity similarity);

/// The function of that name, or nothing.
std::optional<Similarity> similarity_from(std::string_view name);

}  // namespace sgpt
