// A corpus that can be searched: its documents' embeddings, computed once and cached beside it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "encode/encoder_team.h"
#include "retrieval/corpus_cache.h"
#include "retrieval/dataset.h"
#include "sgpt/search.h"

namespace sgpt {

/// How the model's folder says that embeddings are compared.
Similarity folder_similarity(const Encoder& encoder);

/// Const member functions are thread-safe when the team is. What the team is made of must outlive the index.
class CorpusIndex {
 public:
  /// Takes the embeddings from the cache when they belong to this model, these options and this corpus; otherwise
  /// computes them and writes the cache (an empty path: default_cache()). A packed corpus, or one that comes from a
  /// pipe (which needs a cache by name), is unpacked into a nameless file beside the cache. Throws UserError on a
  /// broken corpus.
  CorpusIndex(const EncoderTeam& team, const std::filesystem::path& corpus_jsonl, std::filesystem::path cache = {});

  /// CORPUS.MODEL.sgpt-cache, beside the corpus.
  static std::filesystem::path default_cache(const Encoder& encoder, const std::filesystem::path& corpus_jsonl);

  /// The type that the cache's embeddings, or those of an unfinished one, were computed in, where all else is this
  /// encoder's: what ComputeType::automatic goes on with, whatever it stands for by now.
  static std::optional<ComputeType> recorded_compute_type(const Encoder& encoder,
                                                          const std::filesystem::path& corpus_jsonl,
                                                          std::filesystem::path cache = {});

  std::int64_t documents() const { return cache_->rows(); }

  /// The top_k documents for each query, best first, as the model's folder says that embeddings are compared unless
  /// `similarity` does; messages on a query name its place.
  std::vector<std::vector<Hit>> search(std::span<const std::string> queries, std::int64_t top_k, TextPlaces places = {},
                                       std::optional<Similarity> similarity = {}) const;

  /// A document, read again from the corpus.
  Document document(std::int64_t row) const;

  /// The corpus, unpacked, from a byte on.
  TextStream stream(std::uint64_t from = 0) const;

 private:
  void build(const std::filesystem::path& cache, std::string_view key) const;

  EncoderTeam team_;
  MappedFile corpus_;
  std::optional<CorpusCache> cache_;
};

}  // namespace sgpt
