// Blocks of queries times blocks of documents as matrix products, and a heap of the best hits for each query. Every
// product has the same shape, incomplete blocks being filled up with zeros: the sums of a score are then always taken
// in the same order.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "backend/backend.h"
#include "base/threads.h"
#include "sgpt/error.h"
#include "sgpt/search.h"

namespace sgpt {
namespace {

constexpr std::int64_t kQueryBlock = 32;
constexpr std::int64_t kDocumentBlock = 1024;

std::int64_t round_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

Buffer floats(Memory& memory, std::int64_t rows, std::int64_t cols) {
  return {memory, static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) * sizeof(float)};
}

/// The order of results.
bool better(const Hit& a, const Hit& b) { return a.score != b.score ? a.score > b.score : a.document < b.document; }

/// The best hits of one query: a heap whose first element is the worst of them.
class BestHits {
 public:
  /// Memory for `count` more documents: offer() runs on several threads, where nothing may be thrown.
  void make_room(std::size_t count, std::size_t top_k) {
    const std::size_t needed = std::min(heap_.size() + count, top_k);
    if (needed > heap_.capacity()) heap_.reserve(std::min(std::max(needed, 2 * heap_.capacity()), top_k));
  }

  /// `scores` of the documents from `first` on.
  void offer(std::span<const float> scores, std::int64_t first, std::size_t top_k) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const Hit hit{first + static_cast<std::int64_t>(i), scores[i]};
      if (std::isnan(hit.score)) continue;
      if (heap_.size() == top_k) {
        if (!better(hit, heap_.front())) continue;
        std::pop_heap(heap_.begin(), heap_.end(), better);
        heap_.back() = hit;
      } else {
        heap_.push_back(hit);
      }
      std::push_heap(heap_.begin(), heap_.end(), better);
    }
  }

  std::vector<Hit> sorted() const {
    std::vector<Hit> hits = heap_;
    std::sort_heap(hits.begin(), hits.end(), better);
    return hits;
  }

 private:
  std::vector<Hit> heap_;
};

}  // namespace

struct ExactSearch::Impl {
  Impl(const Embeddings& embeddings, const SearchOptions& search_options);

  /// Takes the documents that wait in host_documents into the search.
  void search_waiting();

  SearchOptions options;
  std::unique_ptr<Backend> backend;
  std::int64_t dimension;
  std::int64_t padded_queries;
  Buffer query_memory;
  Buffer document_memory;
  Buffer score_memory;
  Buffer host_documents;
  Buffer host_scores;
  Matrix queries;    // [padded_queries, dimension]
  Matrix documents;  // [kDocumentBlock, dimension]
  Matrix scores;     // [kQueryBlock, kDocumentBlock]
  std::vector<BestHits> best;
  std::int64_t waiting = 0;  // documents in host_documents
  std::int64_t seen = 0;     // documents before them
};

ExactSearch::Impl::Impl(const Embeddings& embeddings, const SearchOptions& search_options)
    : options(search_options),
      backend(make_backend(search_options.backend)),
      dimension(embeddings.dimension),
      padded_queries(round_up(embeddings.rows, kQueryBlock)),
      query_memory(floats(backend->memory(), padded_queries, dimension)),
      document_memory(floats(backend->memory(), kDocumentBlock, dimension)),
      score_memory(floats(backend->memory(), kQueryBlock, kDocumentBlock)),
      host_documents(floats(host_memory(), kDocumentBlock, dimension)),
      host_scores(floats(host_memory(), kQueryBlock, kDocumentBlock)),
      queries(query_memory.data(), padded_queries, dimension),
      documents(document_memory.data(), kDocumentBlock, dimension),
      scores(score_memory.data(), kQueryBlock, kDocumentBlock),
      best(static_cast<std::size_t>(embeddings.rows)) {
  const ThreadScope threads(options.threads);
  backend->zero(queries);
  if (embeddings.rows == 0) return;
  const Matrix given = queries.slice(0, embeddings.rows);
  backend->upload(ConstMatrix(embeddings.values.data(), embeddings.rows, dimension), given);
  if (options.similarity == Similarity::cosine) backend->normalize_rows(given, given, {});
}

void ExactSearch::Impl::search_waiting() {
  if (waiting == 0) return;
  const auto filled = static_cast<std::size_t>(waiting * dimension);
  auto* rows = static_cast<float*>(host_documents.data());
  std::fill(rows + filled, rows + kDocumentBlock * dimension, 0.0f);
  backend->upload(ConstMatrix(host_documents.data(), kDocumentBlock, dimension), documents);
  if (options.similarity == Similarity::cosine) backend->normalize_rows(documents, documents, {});
  const auto query_count = static_cast<std::int64_t>(best.size());
  const auto top_k = static_cast<std::size_t>(options.top_k);
  for (BestHits& hits : best) hits.make_room(static_cast<std::size_t>(waiting), top_k);
  const Matrix found(host_scores.data(), kQueryBlock, kDocumentBlock);
  for (std::int64_t first = 0; first < query_count; first += kQueryBlock) {
    backend->matmul(queries.slice(first, kQueryBlock), false, documents, true, 1.0f, scores);
    backend->download(scores, found);
    const std::int64_t end = std::min(first + kQueryBlock, query_count);
#pragma omp parallel for schedule(static)
    for (std::int64_t query = first; query < end; ++query) {
      const std::span<const float> row(found.f32_row(query - first), static_cast<std::size_t>(waiting));
      best[static_cast<std::size_t>(query)].offer(row, seen, top_k);
    }
  }
  seen += waiting;
  waiting = 0;
}

ExactSearch::ExactSearch(const Embeddings& queries, const SearchOptions& options) {
  if (options.top_k < 1) throw UserError(fmt::format("top_k is {}; expected at least 1", options.top_k));
  if (queries.dimension < 1 || queries.values.size() != static_cast<std::size_t>(queries.rows * queries.dimension)) {
    throw UserError(fmt::format("{} numbers were given for {} query embeddings of dimension {}", queries.values.size(),
                                queries.rows, queries.dimension));
  }
  impl_ = std::make_unique<Impl>(queries, options);
}

ExactSearch::ExactSearch(ExactSearch&&) noexcept = default;
ExactSearch& ExactSearch::operator=(ExactSearch&&) noexcept = default;
ExactSearch::~ExactSearch() = default;

void ExactSearch::add(std::span<const float> values) {
  const auto dimension = static_cast<std::size_t>(impl_->dimension);
  if (values.size() % dimension != 0) {
    throw UserError(fmt::format("{} numbers are no whole number of document embeddings: the queries have dimension {}",
                                values.size(), dimension));
  }
  const ThreadScope threads(impl_->options.threads);
  auto* rows = static_cast<float*>(impl_->host_documents.data());
  while (!values.empty()) {
    const auto room = static_cast<std::size_t>(kDocumentBlock - impl_->waiting);
    const std::size_t count = std::min(values.size() / dimension, room);
    std::copy_n(values.begin(), count * dimension, rows + impl_->waiting * impl_->dimension);
    values = values.subspan(count * dimension);
    impl_->waiting += static_cast<std::int64_t>(count);
    if (impl_->waiting == kDocumentBlock) impl_->search_waiting();
  }
}

std::vector<std::vector<Hit>> ExactSearch::hits() {
  const ThreadScope threads(impl_->options.threads);
  impl_->search_waiting();
  std::vector<std::vector<Hit>> result;
  for (const BestHits& best : impl_->best) result.push_back(best.sorted());
  return result;
}

std::vector<std::vector<Hit>> exact_search(const Embeddings& queries, const Embeddings& documents,
                                           const SearchOptions& options) {
  if (documents.rows > 0 && documents.dimension != queries.dimension) {
    throw UserError(fmt::format("the queries have embeddings of dimension {}, the documents of dimension {}",
                                queries.dimension, documents.dimension));
  }
  ExactSearch search(queries, options);
  search.add(documents.values);
  return search.hits();
}

}  // namespace sgpt
