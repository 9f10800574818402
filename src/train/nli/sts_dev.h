// The model that is being trained, scored on pairs of sentences, by all ranks together.
#pragma once

#include <cstdint>
#include <vector>

#include "base/communicator.h"
#include "encode/text_preparation.h"
#include "model/decoder.h"
#include "retrieval/sts_evaluation.h"
#include "sgpt/pooling.h"

namespace sgpt {

class StsDev {
 public:
  struct Options {
    PoolingMode pooling = PoolingMode::mean;
    bool normalize = false;  ///< as the model folder's module Normalize
  };
  StsDev(StsPairs pairs, const TextPreparation& preparation, const Options& options);

  /// A checksum of the sentences' ids and the scores.
  std::uint64_t fingerprint() const;

  /// Called by all ranks, whose models are the same; they share the sentences out. The result is rank 0's, the others
  /// have an empty one.
  StsResult evaluate(const Decoder& model, Communicator& ranks) const;

 private:
  std::vector<float> embed_share(const Decoder& model, std::int64_t rank, std::int64_t ranks) const;

  Options options_;
  std::vector<TokenIds> ids_;                     // the first sentences of all pairs, then the second ones
  std::int64_t skipped_ = 0;                      // first tokens of each that pooling leaves out
  std::vector<double> scores_;                    // of the pairs
  std::vector<std::vector<std::size_t>> groups_;  // of sentences that are computed together
};

}  // namespace sgpt
