// The usual batches: every pass has every example once, in an order that is shuffled anew.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "train/batch_source.h"

namespace sgpt {

class BatchOrder : public BatchSource {
 public:
  struct Options {
    std::int64_t batch_size = 64;
    bool shuffle = true;  ///< anew for each pass over the data
    std::uint64_t seed = 0;
    std::int64_t rank = 0;  ///< of `ranks`, which share the batches out: batch i goes to rank i mod `ranks`
    std::int64_t ranks = 1;
    /// Adds hashes of the texts of an example at a visit: the query, the positive, and negatives, as many for all.
    std::function<void(std::int64_t example, std::int64_t visit, std::vector<std::uint64_t>& hashes)> texts = {};
    /// No two examples of a step, of all its ranks, share a text (sentence-transformers' NoDuplicatesBatchSampler): a
    /// step takes the next examples of the order that share none with those it has; those that it passes over come
    /// first in the next step. A pass has as many steps as ever, so that examples may be left over at its end.
    bool no_duplicates = false;
  };

  BatchOrder(std::int64_t examples, const Options& options);

  /// Steps of one pass over the data. In the last one a rank's batch may be smaller, or empty.
  std::int64_t batches() const override;
  Batch batch(std::int64_t step) override;
  /// The same of all ranks together.
  std::span<const std::int64_t> of_all_ranks(std::int64_t step);

  /// Examples that a pass (from 0) has no place for; 0 but with no_duplicates.
  std::int64_t left_over(std::int64_t pass);

  /// Examples of a step, of all its ranks, whose query or positive another of them has too, in any place: what answers
  /// the query is then taken for a negative.
  std::int64_t with_wrong_negatives(std::int64_t step);

 private:
  void arrange(std::int64_t pass);
  void part_duplicates();

  Options options_;
  std::int64_t examples_;
  std::int64_t a_step_;              // examples of all ranks
  std::vector<std::int64_t> order_;  // of the pass
  std::vector<std::int64_t> begin_;  // where each of its steps begins in order_, and the last one ends
  std::int64_t pass_ = -1;           // that they are for
};

}  // namespace sgpt
