// BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009), the ranking by words
// that cross-encoders re-rank: of a query the sum over its words w of
//     ln(1 + (N - n + 0.5) / (n + 0.5)) * f * (k1 + 1) / (f + k1 * (1 - b + b * length / mean length)),
// N documents, n of them with w, f times w in this one, which is so many terms long. It is Lucene's form, whose
// logarithm is never negative.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "retrieval/bm25_terms.h"
#include "sgpt/search.h"

namespace sgpt {

struct Bm25Options {
  double k1 = 1.5;  ///< how soon a word's repetition stops to count; at least 0
  double b = 0.75;  ///< how much long documents pay for their length, 0 to 1
  TermOptions terms = {};
};

/// An inverted index in memory: 8 bytes for each word of each document, and a table of the words. Adding is not
/// thread-safe, searching is.
class Bm25Index {
 public:
  /// Throws UserError when k1 or b is out of its range.
  explicit Bm25Index(const Bm25Options& options = {});

  /// The next document, counted from 0; valid UTF-8.
  void add(std::string_view text);

  /// At most top_k documents that share a term with the query: score descending, equal scores by document ascending.
  /// A word that stands twice in the query counts twice.
  std::vector<Hit> search(std::string_view query, std::int64_t top_k) const;

  std::int64_t documents() const { return static_cast<std::int64_t>(lengths_.size()); }

 private:
  struct Posting {
    std::uint32_t document;
    std::uint32_t count;  // of the term in it
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <class Value>
  using ByText = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;
  using TermNumber = std::int64_t;
  static constexpr TermNumber kStopWord = -1;

  TermNumber number_of(std::string_view word);
  double weight(const std::vector<Posting>& postings) const;

  Bm25Options options_;
  ByText<TermNumber> terms_;                    // stems
  ByText<TermNumber> words_;                    // every word met in a document: its term's number, or kStopWord
  std::vector<std::vector<Posting>> postings_;  // [terms], documents ascending
  std::vector<std::uint32_t> lengths_;          // [documents], in terms
  double all_terms_ = 0;                        // sum of the lengths
};

}  // namespace sgpt
