// The steps of a training run, from where it stands to its end: batches, checkpoints, scores on dev pairs, and whoever
// watches.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/communicator.h"
#include "model/decoder.h"
#include "sgpt/trainer.h"
#include "train/batch_source.h"
#include "train/dev_selection.h"
#include "train/nli/sts_dev.h"
#include "train/run_checkpoints.h"
#include "train/run_facts.h"
#include "train/trainer.h"
#include "train/training_set.h"
#include "train/watch/run_watch.h"

namespace sgpt {

/// Where the model is scored during a run, and when.
struct DevScoring {
  const StsDev& pairs;
  DevSelection* selection;  ///< rank 0's; the others have none
  std::int64_t every = 0;   ///< steps; and after each epoch
};

class TrainingRun {
 public:
  struct Parts {
    const TrainOptions& options;
    const TrainingSet& data;
    BatchSource& order;
    RunCheckpoints& checkpoints;
    std::optional<RunCheckpoint>& newest;  ///< to go on from; rank 0's
    const RunFacts& facts;
    Decoder& model;
    Trainer& trainer;
    std::int64_t steps_per_epoch;
    Communicator& ranks;
    RunWatch& watch;
    std::optional<DevScoring> dev;
  };
  explicit TrainingRun(const Parts& parts)
      : parts_(parts), options_(parts.options), total_steps_(parts.steps_per_epoch * parts.options.epochs) {}

  /// Goes on from the newest checkpoint, where the options say so, to the end, or until it is asked to stop.
  TrainResult finish();

 private:
  void resume();
  std::int64_t restore_newest();
  bool asked_to_stop() const;
  std::vector<TrainingBatch> batches_of(std::int64_t step);
  TrainStep step(std::int64_t number);
  bool dev_is_due(std::int64_t steps) const;
  void score(std::int64_t steps);
  bool checkpoint_is_due(std::int64_t steps) const;
  void save_checkpoint(std::int64_t steps);

  Parts parts_;
  const TrainOptions& options_;
  std::int64_t total_steps_;
  TrainResult result_;
};

}  // namespace sgpt
