// The gradients of a large batch in the memory of a small one (GradCache, arXiv 2101.06983):
//   1. embed every chunk of the batch, keeping only the embeddings;
//   2. the loss over the whole batch, and its gradient with respect to every embedding;
//   3. embed each chunk again, now keeping activations, and backpropagate its slice of that gradient.
// What fits a given memory is kept from the first pass, and not computed twice (train/activation_plan.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "base/communicator.h"
#include "model/decoder.h"
#include "sgpt/pooling.h"
#include "tensor/arena.h"
#include "train/activation_plan.h"
#include "train/training_batch.h"

namespace sgpt {

struct GradCacheOptions {
  std::vector<PoolingMode> pooling;
  double scale = 20;                  ///< of the cosines in the loss
  std::int64_t chunk_size = 0;        ///< texts a column in a chunk; 0: the whole batch is one chunk, always kept
  std::size_t activation_memory = 0;  ///< bytes for what is kept of the forward passes; if too few, as few as can be
};

class GradCache {
 public:
  /// Backend, model and communicator must outlive it.
  GradCache(Backend& backend, Decoder& model, GradCacheOptions options, Communicator& ranks = this_process_alone());

  struct Result {
    double loss = 0;  ///< the mean over the queries of all ranks
    std::int64_t chunks = 0;
    std::int64_t twice = 0;        ///< chunks that were embedded a second time
    std::int64_t from_inputs = 0;  ///< chunks whose layers were computed again from their kept inputs
    double computed_again = 0;     ///< forward passes over the batch, in matrix products
  };
  /// The model's gradients += those of the mean loss over the batch. The chunk size changes them by rounding only, the
  /// memory for kept chunks by nothing. `weight` multiplies the gradients, not the loss. With several ranks the batch
  /// is that of all of them together, of which each has some rows (or none); the gradients are then this rank's part,
  /// still to be summed over ranks.
  Result accumulate(const TrainingBatch& batch, double weight = 1);

 private:
  struct Chunk;

  std::vector<Chunk> cut(const TrainingBatch& batch) const;
  ActivationPlan plan(std::span<Chunk> chunks) const;
  void embed_chunk(Chunk& chunk, Matrix embeddings);
  void backward_chunk(Chunk& chunk, ConstMatrix dembeddings, Keep again);
  double loss_and_gradients(std::span<const Chunk> chunks, const TrainingBatch& batch, double weight,
                            Matrix embeddings);

  Backend& backend_;
  Decoder& model_;
  GradCacheOptions options_;
  Communicator& ranks_;
  Arena kept_;     // activations from the first pass
  Arena scratch_;  // everything else
};

}  // namespace sgpt
