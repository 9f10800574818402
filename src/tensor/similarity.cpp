#include "sgpt/similarity.h"

#include <array>
#include <cstddef>

namespace sgpt {

namespace {
constexpr std::array<std::string_view, 4> kNames{"cosine", "dot", "euclidean", "manhattan"};
}  // namespace

std::string_view name_of(Similarity similarity) { return kNames[static_cast<std::size_t>(similarity)]; }

std::optional<Similarity> similarity_from(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<Similarity>(i);
  }
  return std::nullopt;
}

}  // namespace sgpt
