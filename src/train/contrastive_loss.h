// MultipleNegativesRankingLoss: every query shall be nearer, by cosine, to its own positive than to all other
// candidates of the batch: the mean cross-entropy of scale · cosine.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "tensor/arena.h"
#include "tensor/matrix.h"

namespace sgpt {

/// Embeddings of any length (they are normalised here), f32.
struct ContrastiveBatch {
  ConstMatrix queries;            // [B,e]
  ConstMatrix candidates;         // [C,e]
  std::int64_t label_offset = 0;  ///< query i belongs to candidate label_offset + i
  double scale = 20;
  double weight = 1;  ///< the gradients are multiplied by this; the loss is not
};

/// The loss; dqueries[B,e] = and dcandidates[C,e] = its gradients with respect to the embeddings. When candidates of
/// other ranks are among them, their gradients are the part that these queries contribute.
double contrastive_loss(Backend& backend, const ContrastiveBatch& batch, Matrix dqueries, Matrix dcandidates,
                        Arena& arena);

}  // namespace sgpt
