// Exact search: the documents whose embeddings are most similar to a query's, found by computing every similarity.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sgpt/encoder.h"
#include "sgpt/similarity.h"

namespace sgpt {

struct SearchOptions {
  std::int64_t top_k = 10;  ///< hits a query
  Similarity similarity = Similarity::cosine;
  int threads = 0;              ///< 0: all cores
  std::string backend = "cpu";  ///< "cpu" or "reference"
};

struct Hit {
  std::int64_t document = 0;  ///< counted from 0 in the order of the documents
  float score = 0;
  friend bool operator==(const Hit&, const Hit&) = default;
};

/// Takes documents as a stream, so that they need never be in memory at once; memory is needed for the queries, their
/// hits and one block of documents. Hits and the bits of their scores do not depend on how the documents are cut into
/// pieces, nor on the other queries or the number of threads. Not thread-safe.
class ExactSearch {
 public:
  /// Copies the queries. Throws UserError when top_k is below 1 or the backend unknown.
  explicit ExactSearch(const Embeddings& queries, const SearchOptions& options = {});
  ExactSearch(ExactSearch&&) noexcept;
  ExactSearch& operator=(ExactSearch&&) noexcept;
  ~ExactSearch();

  /// The next documents, [N, dimension] row by row. Throws UserError when `values` is no multiple of the dimension.
  void add(std::span<const float> values);

  /// Of the documents so far: for each query, at most top_k hits: score descending, equal scores by document ascending.
  /// A score that is no number is no hit.
  std::vector<std::vector<Hit>> hits();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The whole at once.
std::vector<std::vector<Hit>> exact_search(const Embeddings& queries, const Embeddings& documents,
                                           const SearchOptions& options = {});

}  // namespace sgpt
