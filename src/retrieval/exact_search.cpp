// The queries are packed once, as the weights of a product, and documents stream past them. Threads take pieces of a
// block of documents one by one (normalise, multiply), then groups of queries: a scan of the group's scores offers the
// few that are good enough to the heap of their query. Distances are no product: they are computed without the backend.
// The bits of a score depend on nothing but its query and its document: that is the backend's promise for rows, and
// tests hold it for the number of queries.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "backend/backend.h"
#include "base/parallel.h"
#include "base/threads.h"
#include "retrieval/query_lanes.h"
#include "sgpt/error.h"
#include "sgpt/search.h"

namespace sgpt {
namespace {

constexpr std::int64_t kQueryGroup = 16;       // scanned together; products are whole groups wide
constexpr std::int64_t kQueryBlock = 256;      // packed together
constexpr std::int64_t kBlocksPerPiece = 4;    // products for which a piece of documents is normalised once
constexpr std::int64_t kPiece = 512;           // documents of one task; they stay in the cache
constexpr std::int64_t kMostPieces = 16;       // of a block of documents: threads meet twice a block, so it is large
constexpr std::int64_t kMostScores = 1 << 22;  // of a block, where the queries are many
constexpr float kAny = std::numeric_limits<float>::quiet_NaN();  // the bound that no score fails

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

  void offer(const Hit& hit, std::size_t top_k) {
    if (std::isnan(hit.score)) return;
    if (heap_.size() == top_k) {
      if (!better(hit, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.back() = hit;
    } else {
      heap_.push_back(hit);
    }
    std::push_heap(heap_.begin(), heap_.end(), better);
  }

  /// Later documents that do not score above it are no hits.
  float bound(std::size_t top_k) const { return heap_.size() < top_k ? kAny : heap_.front().score; }

  std::vector<Hit> sorted() const {
    std::vector<Hit> hits = heap_;
    std::sort_heap(hits.begin(), hits.end(), better);
    return hits;
  }

 private:
  std::vector<Hit> heap_;
};

/// Queries whose scores are computed by one product.
struct QueryBlock {
  std::int64_t first = 0;
  std::int64_t width = 0;                // whole groups; zeros behind the last query
  std::unique_ptr<PackedWeight> packed;  // [width, dimension]
  std::optional<QueryLanes> lanes;       // for distances, instead
};

bool is_distance(Similarity similarity) {
  return similarity == Similarity::euclidean || similarity == Similarity::manhattan;
}

}  // namespace

struct ExactSearch::Impl {
  Impl(const Embeddings& embeddings, const SearchOptions& search_options);

  /// Normalises and packs queries.
  QueryBlock packed_block(const Embeddings& embeddings, std::int64_t first, std::int64_t count);
  /// The next documents [at most block_documents, dimension], in the machine's own memory.
  void search(ConstMatrix documents);
  /// Scores of a piece of them, which begins with document `row` of the block, for some query blocks.
  void score_piece(ConstMatrix documents, std::int64_t row, std::span<const QueryBlock> with, Buffer& own);
  /// Offers the scores [count, kQueryGroup] of a group of queries, found in rows of `stride` floats.
  void offer_group(const float* found, std::int64_t stride, std::int64_t count, std::int64_t first_query);
  void search_waiting();

  /// Scores of a query block [block_documents, width] in the backend's memory.
  Matrix scores_of(const QueryBlock& block) const {
    return {static_cast<float*>(scores.data()) + block_documents * block.first, block_documents, block.width};
  }
  /// Whether the backend computes in the machine's own memory, so that nothing need be copied.
  bool in_host_memory() const { return &score_memory() == &host_memory(); }
  Memory& score_memory() const { return is_distance(options.similarity) ? host_memory() : backend->memory(); }

  SearchOptions options;
  std::unique_ptr<Backend> backend;
  std::int64_t dimension;
  std::int64_t groups;           // of queries
  std::int64_t block_documents;  // searched at once
  Buffer scores;                 // block_documents of all groups
  Buffer host_scores;            // of one query block, where the backend's memory is another
  std::vector<QueryBlock> blocks;
  std::vector<BestHits> best;  // [queries]
  std::vector<float> bounds;   // [groups, kQueryGroup]
  std::vector<float> waiting;  // documents that are no whole block yet
  std::int64_t seen = 0;       // documents searched
};

ExactSearch::Impl::Impl(const Embeddings& embeddings, const SearchOptions& search_options)
    : options(search_options),
      backend(make_backend(search_options.backend)),
      dimension(embeddings.dimension),
      groups((embeddings.rows + kQueryGroup - 1) / kQueryGroup),
      best(static_cast<std::size_t>(embeddings.rows)),
      bounds(static_cast<std::size_t>(groups * kQueryGroup), kAny) {
  const ThreadScope threads(options.threads);
  const std::int64_t pieces = kMostScores / (kPiece * kQueryGroup * std::max<std::int64_t>(groups, 1));
  block_documents = kPiece * std::clamp<std::int64_t>(pieces, 1, kMostPieces);
  scores = floats(score_memory(), block_documents, groups * kQueryGroup);
  if (!in_host_memory()) host_scores = floats(host_memory(), block_documents, kQueryBlock);
  for (std::int64_t first = 0; first < embeddings.rows; first += kQueryBlock) {
    blocks.push_back(packed_block(embeddings, first, std::min(kQueryBlock, embeddings.rows - first)));
  }
}

QueryBlock ExactSearch::Impl::packed_block(const Embeddings& embeddings, std::int64_t first, std::int64_t count) {
  const std::int64_t width = (count + kQueryGroup - 1) / kQueryGroup * kQueryGroup;
  std::vector<float> rows(static_cast<std::size_t>(width * dimension));
  std::copy_n(embeddings.row(first).data(), count * dimension, rows.begin());
  if (options.similarity == Similarity::cosine) {
    const Matrix host(rows.data(), count, dimension);
    const Buffer memory = floats(backend->memory(), count, dimension);
    const Matrix queries(memory.data(), count, dimension);
    backend->upload(host, queries);
    backend->normalize_rows(queries, queries, {});
    backend->download(queries, host);
  }
  QueryBlock block;
  block.first = first;
  block.width = width;
  if (is_distance(options.similarity)) {
    block.lanes.emplace(rows.data(), width, dimension);
  } else {
    block.packed = backend->pack({rows.data(), width, dimension}, WeightUse::forward);
  }
  return block;
}

void ExactSearch::Impl::search(ConstMatrix documents) {
  const std::int64_t count = documents.rows, pieces = (count + kPiece - 1) / kPiece;
  const auto query_blocks = static_cast<std::int64_t>(blocks.size());
  const std::int64_t parts = (query_blocks + kBlocksPerPiece - 1) / kBlocksPerPiece;
  parallel_workers(pieces * parts, [&] {
    return [&, own = Buffer()](std::int64_t task) mutable {
      const std::int64_t row = task / parts * kPiece, first = task % parts * kBlocksPerPiece;
      const auto with = std::span(blocks).subspan(static_cast<std::size_t>(first));
      score_piece(documents.slice(row, std::min(kPiece, count - row)), row,
                  with.first(std::min<std::size_t>(with.size(), kBlocksPerPiece)), own);
    };
  });
  for (BestHits& hits : best) hits.make_room(static_cast<std::size_t>(count), static_cast<std::size_t>(options.top_k));
  for (const QueryBlock& block : blocks) {
    const std::int64_t width = block.width;
    const float* found = scores_of(block).f32();
    if (!in_host_memory()) {
      const Matrix host(host_scores.data(), count, width);
      backend->download(scores_of(block).slice(0, count), host);
      found = host.f32();
    }
    parallel_tasks(width / kQueryGroup, [&](std::int64_t group) {
      offer_group(found + group * kQueryGroup, width, count, block.first + group * kQueryGroup);
    });
  }
  seen += count;
}

void ExactSearch::Impl::score_piece(ConstMatrix documents, std::int64_t row, std::span<const QueryBlock> with,
                                    Buffer& own) {
  const ThreadScope one_thread(1);
  const bool normalizes = options.similarity == Similarity::cosine;
  if (normalizes || !in_host_memory()) {
    if (!own.data()) own = floats(backend->memory(), kPiece, dimension);
    const Matrix copy(own.data(), documents.rows, dimension);
    if (!in_host_memory()) {
      backend->upload(documents, copy);
      documents = copy;
    }
    if (normalizes) backend->normalize_rows(documents, copy, {});
    documents = copy;
  }
  for (const QueryBlock& block : with) {
    if (block.lanes) {
      const Matrix found = scores_of(block).slice(row, documents.rows);
      for (std::int64_t i = 0; i < documents.rows; ++i) {
        block.lanes->score(documents.f32_row(i), options.similarity, found.f32_row(i));
      }
      continue;
    }
    backend->linear(documents, *block.packed, {}, scores_of(block).slice(row, documents.rows), Epilogue::none);
  }
}

void ExactSearch::Impl::search_waiting() {
  const auto count = static_cast<std::int64_t>(waiting.size()) / dimension;
  if (count > 0) search({waiting.data(), count, dimension});
  waiting.clear();
}

void ExactSearch::Impl::offer_group(const float* found, std::int64_t stride, std::int64_t count,
                                    std::int64_t first_query) {
  const auto top_k = static_cast<std::size_t>(options.top_k);
  const std::int64_t queries = std::min(kQueryGroup, static_cast<std::int64_t>(best.size()) - first_query);
  float* bound = bounds.data() + first_query;
  for (std::int64_t document = 0; document < count; ++document) {
    const float* row = found + document * stride;
    int candidates = 0;
    for (std::int64_t q = 0; q < kQueryGroup; ++q) candidates += !(row[q] <= bound[q]);
    if (candidates == 0) continue;
    for (std::int64_t q = 0; q < queries; ++q) {
      if (row[q] <= bound[q]) continue;
      const auto query = static_cast<std::size_t>(first_query + q);
      best[query].offer({seen + document, row[q]}, top_k);
      bound[q] = best[query].bound(top_k);
    }
  }
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
  const std::size_t block = static_cast<std::size_t>(impl_->block_documents) * dimension;
  auto& waiting = impl_->waiting;
  while (!values.empty()) {
    const auto piece = values.first(std::min(values.size(), block - waiting.size()));
    values = values.subspan(piece.size());
    if (piece.size() == block) {  // a whole block is searched where it lies
      impl_->search({piece.data(), impl_->block_documents, impl_->dimension});
      continue;
    }
    waiting.insert(waiting.end(), piece.begin(), piece.end());
    if (waiting.size() == block) impl_->search_waiting();
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
