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

/// Const member functions are thread-safe when the team is. What the team is made of must outlive the index.
class CorpusIndex {
 public:
  /// Takes the embeddings from the cache when they belong to this model, these options and this corpus; otherwise
  /// computes them and writes the cache (an empty path: default_cache()). Throws UserError on a broken corpus.
  CorpusIndex(const EncoderTeam& team, const std::filesystem::path& corpus_jsonl, std::filesystem::path cache = {});

  /// CORPUS.MODEL.sgpt-cache, beside the corpus.
  static std::filesystem::path default_cache(const Encoder& encoder, const std::filesystem::path& corpus_jsonl);

  /// The type that the cache's embeddings, or those of an unfinished one, were computed in, where all else is this
  /// encoder's: what ComputeType::automatic goes on with, whatever it stands for by now.
  static std::optional<ComputeType> recorded_compute_type(const Encoder& encoder,
                                                          const std::filesystem::path& corpus_jsonl,
                                                          std::filesystem::path cache = {});

  std::int64_t documents() const { return cache_->rows(); }

  /// The top_k documents for each query by cosine, best first.
  std::vector<std::vector<Hit>> search(std::span<const std::string> queries, std::int64_t top_k) const;

  /// A document, read again from the corpus.
  Document document(std::int64_t row) const;

 private:
  void build(const std::filesystem::path& cache, std::string_view key) const;

  EncoderTeam team_;
  std::filesystem::path corpus_file_;
  MappedFile corpus_;
  std::optional<CorpusCache> cache_;
};

}  // namespace sgpt
