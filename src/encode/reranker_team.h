// The cross-encoders of several ranks, as one: rank 0 reads, asks and writes as a process alone would, and all of them
// compute the scores. A pair's score is the same bits on every rank, so what comes out is what one process makes.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/communicator.h"
#include "encode/text_places.h"
#include "sgpt/reranker.h"

namespace sgpt {

/// A handle; reranker and communicator must outlive it.
class RerankerTeam {
 public:
  /// A reranker by itself.
  RerankerTeam(const Reranker& reranker) : RerankerTeam(reranker, this_process_alone()) {}

  /// As Reranker::score; messages name the places of the pairs. Pairs with the same document should stand together:
  /// no rank then computes a document that another one has.
  std::vector<double> score(std::span<const QueryDocument> pairs, TextPlaces places) const;

  const Reranker& reranker() const { return *reranker_; }  ///< this rank's

 private:
  friend void with_team(const Reranker&, Communicator&, const std::function<void(const RerankerTeam&)>&);
  RerankerTeam(const Reranker& reranker, Communicator& ranks) : reranker_(&reranker), ranks_(&ranks) {}
  void help() const;
  void dismiss() const;

  const Reranker* reranker_;
  Communicator* ranks_;
};

/// Rank 0 does `work`; the others compute what it asks of the team, until it is done. Called by all ranks, each with
/// its own reranker of the same model. Throws UserError on all of them when these differ. What `work` throws leaves the
/// others waiting: the caller ends them (Communicator::abort).
void with_team(const Reranker& reranker, Communicator& ranks, const std::function<void(const RerankerTeam&)>& work);

}  // namespace sgpt
