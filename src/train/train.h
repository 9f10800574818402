// Training by several processes together; sgpt/trainer.h is for one.
#pragma once

#include "base/communicator.h"
#include "sgpt/trainer.h"

namespace sgpt {

class RunWatch;

/// Called on all ranks with the same options and data; throws on all of them, naming what differs, when they are not.
/// Rank 0 logs, reports and saves. Whatever else a rank throws the others do not know of: they wait for it until it
/// calls abort(). The result is the same on all.
TrainResult train(const TrainOptions& options, Communicator& ranks);
/// The same with a watch of the caller's, who may tell it of an evaluation afterwards.
TrainResult train(const TrainOptions& options, Communicator& ranks, RunWatch& watch);

}  // namespace sgpt
