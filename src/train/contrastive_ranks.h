// The contrastive loss over the candidates of all ranks: every rank's queries are told apart from everybody's
// documents, and every document learns from everybody's queries.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "base/communicator.h"
#include "tensor/arena.h"
#include "tensor/matrix.h"

namespace sgpt {

/// This rank's part of a batch. Ranks may have different B, also 0; all have as many columns.
struct RankBatch {
  ConstMatrix queries;       // [B,e]
  ConstMatrix candidates;    // [columns · B,e]  all positives, then all first negatives, …
  std::int64_t columns = 1;  ///< of candidates
  double scale = 20;
  double weight = 1;  ///< the gradients are multiplied by this; the loss is not
};

/// The mean loss over the queries of all ranks, the same number on each: what one process would compute that had all
/// ranks' rows as one batch. dqueries[B,e] = and dcandidates[columns · B,e] = its gradients with respect to this rank's
/// embeddings, the part of the other ranks' queries included.
double contrastive_loss(Communicator& ranks, Backend& backend, const RankBatch& batch, Matrix dqueries,
                        Matrix dcandidates, Arena& arena);

}  // namespace sgpt
