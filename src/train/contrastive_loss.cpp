#include "train/contrastive_loss.h"

#include <numeric>
#include <vector>

namespace sgpt {
namespace {

struct Normalized {
  Matrix rows;   // [N,e], of length 1
  Matrix norms;  // [N,1]
};

Normalized normalized(Backend& backend, ConstMatrix x, Arena& arena) {
  Normalized result{arena.take(x.rows, x.cols), arena.take(x.rows, 1)};
  backend.normalize_rows(x, result.rows, result.norms);
  return result;
}

}  // namespace

double contrastive_loss(Backend& backend, const ContrastiveBatch& batch, Matrix dqueries, Matrix dcandidates,
                        Arena& arena) {
  const Arena::Scope scope(arena);
  const auto scale = static_cast<float>(batch.scale);
  const auto gradient_scale = static_cast<float>(batch.scale * batch.weight);
  const Normalized queries = normalized(backend, batch.queries, arena);
  const Normalized candidates = normalized(backend, batch.candidates, arena);
  const Matrix scores = arena.take(queries.rows.rows, candidates.rows.rows);  // [B,C]
  backend.matmul(queries.rows, false, candidates.rows, true, scale, scores);

  std::vector<std::int32_t> labels(static_cast<std::size_t>(batch.queries.rows));
  std::iota(labels.begin(), labels.end(), static_cast<std::int32_t>(batch.label_offset));
  const double loss = backend.cross_entropy(scores, labels);  // scores now hold their own gradient

  backend.matmul(scores, false, candidates.rows, false, gradient_scale, dqueries);
  backend.matmul(scores, true, queries.rows, false, gradient_scale, dcandidates);
  backend.normalize_rows_backward(queries.rows, queries.norms, dqueries, dqueries);
  backend.normalize_rows_backward(candidates.rows, candidates.norms, dcandidates, dcandidates);
  return loss;
}

}  // namespace sgpt
