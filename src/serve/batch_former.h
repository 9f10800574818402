// Which of the waiting inputs are computed together. Interactive ones first, then bulk, which gets at least a quarter
// of the tokens while both wait. Requests of a class take turns, an input each. What does not fit any more is passed
// over for what does, but twice at most.
#pragma once

#include <deque>
#include <vector>

#include "serve/batch_queue.h"

namespace sgpt::serve {

/// Plain data, no lock.
class BatchFormer {
 public:
  /// The next batch out of the queue, of at most `budget` tokens unless its only entry is longer; empty when nothing
  /// waits.
  std::vector<EntryPtr> form(BatchQueue& queue, std::int64_t budget, Clock::time_point now);

  static constexpr std::size_t kShareBatches = 10;  ///< over which bulk gets its share
  static constexpr std::int64_t kShare = 4;         ///< one in so many tokens
  static constexpr int kPassedOver = 2;             ///< then an entry goes first
  static constexpr std::size_t kLookAhead = 32;     ///< entries of a ticket that are looked at for one that fits

 private:
  struct Batch;
  struct Tokens {
    std::int64_t interactive = 0, bulk = 0;
  };
  std::int64_t owed_to_bulk(std::int64_t budget) const;
  EntryPtr first_fitting(Ticket& ticket, Batch& batch);
  void pass_over(Batch& batch);
  void take_seniors(Batch& batch, std::size_t most);
  void fill(Batch& batch, Class kind, std::int64_t wanted);

  std::deque<Tokens> history_;    // of batches formed while both classes waited
  std::deque<EntryPtr> seniors_;  // passed over often enough, oldest first
  std::uint64_t number_ = 0;
};

}  // namespace sgpt::serve
