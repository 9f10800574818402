#include "train/contrastive_ranks.h"

#include <numeric>
#include <vector>

#include "train/contrastive_loss.h"
#include "train/exchange.h"
#include "train/gather_rows.h"

namespace sgpt {
namespace {

/// Where the candidates of all ranks lie: as they are gathered (a rank's block after the other, column by column in
/// it), and as one process would have them (column by column, rank after rank in it).
class CandidatePlaces {
 public:
  CandidatePlaces(const std::vector<std::int64_t>& rows, std::int64_t columns)
      : total_rows_(std::accumulate(rows.begin(), rows.end(), std::int64_t{0})),
        to_columns_(static_cast<std::size_t>(total_rows_ * columns)),
        to_blocks_(to_columns_.size()) {
    std::int64_t rows_before = 0;
    for (const std::int64_t own : rows) {
      for (std::int64_t i = 0; i < own * columns; ++i) {
        const std::int64_t in_blocks = rows_before * columns + i;
        const std::int64_t in_columns = i / own * total_rows_ + rows_before + i % own;
        to_columns_[static_cast<std::size_t>(in_columns)] = static_cast<std::int32_t>(in_blocks);
        to_blocks_[static_cast<std::size_t>(in_blocks)] = static_cast<std::int32_t>(in_columns);
      }
      rows_before += own;
    }
  }

  std::int64_t total_rows() const { return total_rows_; }
  const std::vector<std::int32_t>& to_columns() const { return to_columns_; }
  const std::vector<std::int32_t>& to_blocks() const { return to_blocks_; }

 private:
  std::int64_t total_rows_;
  std::vector<std::int32_t> to_columns_;
  std::vector<std::int32_t> to_blocks_;
};

}  // namespace

double contrastive_loss(Communicator& ranks, Backend& backend, const RankBatch& batch, Matrix dqueries,
                        Matrix dcandidates, Arena& arena) {
  if (ranks.alone()) {
    const ContrastiveBatch whole{
        .queries = batch.queries, .candidates = batch.candidates, .scale = batch.scale, .weight = batch.weight};
    return contrastive_loss(backend, whole, dqueries, dcandidates, arena);
  }
  const Arena::Scope scope(arena);
  const std::int64_t own_rows = batch.queries.rows;
  const std::vector<std::int64_t> rows = ranks.all_gather(own_rows);
  const CandidatePlaces places(rows, batch.columns);
  std::vector<std::int64_t> blocks = rows;
  for (std::int64_t& block : blocks) block *= batch.columns;

  const Matrix gathered = arena.take(places.total_rows() * batch.columns, batch.candidates.cols);
  const Matrix all = arena.take(gathered.rows, gathered.cols);
  const Matrix dall = arena.take(gathered.rows, gathered.cols);
  gather_from_ranks(ranks, backend, batch.candidates, blocks, gathered);
  gather_rows(backend, gathered, places.to_columns(), all, arena);

  double loss = 0;
  if (own_rows == 0) {
    backend.zero(dall);
  } else {
    // A rank's mean counts by its share of the queries, so that the sum over ranks is the mean over all queries.
    const double weight = static_cast<double>(own_rows) / static_cast<double>(places.total_rows());
    const ContrastiveBatch own{
        .queries = batch.queries,
        .candidates = all,
        .label_offset = std::accumulate(rows.begin(), rows.begin() + ranks.rank(), std::int64_t{0}),
        .scale = batch.scale,
        .weight = weight * batch.weight};
    loss = weight * contrastive_loss(backend, own, dqueries, dall, arena);
  }
  gather_rows(backend, dall, places.to_blocks(), gathered, arena);
  sum_own_rows(ranks, backend, gathered, blocks, dcandidates);
  const std::vector<double> losses = ranks.all_gather(loss);
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

}  // namespace sgpt
