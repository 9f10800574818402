#include "retrieval/bm25.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt {

Bm25Index::Bm25Index(const Bm25Options& options) : options_(options) {
  if (!(options.k1 >= 0) || !std::isfinite(options.k1)) {
    throw UserError(fmt::format("k1 of BM25 must be a number from 0 on, found {}", options.k1));
  }
  if (!(options.b >= 0 && options.b <= 1)) {
    throw UserError(fmt::format("b of BM25 must lie between 0 and 1, found {}", options.b));
  }
}

Bm25Index::TermNumber Bm25Index::number_of(std::string_view word) {
  if (const auto known = words_.find(word); known != words_.end()) return known->second;
  TermNumber number = kStopWord;
  if (std::string term = term_of(word, options_.terms); !term.empty()) {
    number = terms_.try_emplace(std::move(term), static_cast<TermNumber>(postings_.size())).first->second;
    if (number == static_cast<TermNumber>(postings_.size())) postings_.emplace_back();
  }
  words_.emplace(word, number);
  return number;
}

void Bm25Index::add(std::string_view text) {
  if (lengths_.size() == std::numeric_limits<std::uint32_t>::max()) {
    throw UserError(fmt::format("BM25 holds at most {} documents", lengths_.size()));
  }
  const auto document = static_cast<std::uint32_t>(lengths_.size());
  std::uint32_t length = 0;
  for_each_word(text, [&](std::string_view word) {
    const TermNumber term = number_of(word);
    if (term == kStopWord) return;
    ++length;
    auto& postings = postings_[static_cast<std::size_t>(term)];
    if (!postings.empty() && postings.back().document == document) {
      ++postings.back().count;
    } else {
      postings.push_back({document, 1});
    }
  });
  lengths_.push_back(length);
  all_terms_ += length;
}

double Bm25Index::weight(const std::vector<Posting>& postings) const {
  const auto all = static_cast<double>(lengths_.size());
  const auto with = static_cast<double>(postings.size());
  return std::log(1 + (all - with + 0.5) / (with + 0.5));
}

std::vector<Hit> Bm25Index::search(std::string_view query, std::int64_t top_k) const {
  const double mean_length = all_terms_ / static_cast<double>(lengths_.size());
  std::vector<double> scores(lengths_.size());
  for_each_word(query, [&](std::string_view word) {
    const std::string term = term_of(word, options_.terms);
    const auto known = terms_.find(term);
    if (known == terms_.end()) return;
    const auto& postings = postings_[static_cast<std::size_t>(known->second)];
    const double factor = weight(postings) * (options_.k1 + 1);
    for (const Posting& posting : postings) {
      const double share = lengths_[posting.document] / mean_length;
      const double count = posting.count;
      scores[posting.document] += factor * count / (count + options_.k1 * (1 - options_.b + options_.b * share));
    }
  });
  std::vector<Hit> hits;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > 0) hits.push_back({static_cast<std::int64_t>(i), static_cast<float>(scores[i])});
  }
  const auto most = std::min(hits.size(), static_cast<std::size_t>(top_k));
  std::partial_sort(
      hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(most), hits.end(),
      [](const Hit& a, const Hit& b) { return a.score != b.score ? a.score > b.score : a.document < b.document; });
  hits.resize(most);
  return hits;
}

}  // namespace sgpt
