// What can be seen of a run's steps before the first one: the warm-up that suits their number, and batches that teach
// nothing, or the wrong thing.
#pragma once

#include <cstdint>

#include "base/communicator.h"
#include "sgpt/trainer.h"
#include "train/batch_order.h"
#include "train/run_facts.h"
#include "train/training_set.h"

namespace sgpt {

/// Sets the warm-up where the options leave it open: as `recorded` by the run that is resumed (rank 0 alone may have a
/// record), else 1000 steps, or a tenth of all where that is less; of NLI
/// a tenth, rounded up. Rank 0 says so, and warns of a warm-up that never
/// ends.
void settle_warmup(TrainOptions& options, std::int64_t total_steps, const RunFacts& recorded, Communicator& ranks);

/// Throws UserError when no batch has anything that a query's positive could be told from. Rank 0 warns of a batch size
/// that the data is too small for, of single batches like that, of texts that stand twice in a batch, and of examples
/// that --no_duplicates has no place for.
void check_batches(const TrainOptions& options, const TrainingSet& data, BatchOrder& order, const Communicator& ranks);

}  // namespace sgpt
