// All the observers of a run, as its options ask for them; measures the distributions that they are told of. Before the
// first step they may refuse the run; one that fails later is left out from there on, with a warning.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/decoder.h"
#include "train/observer.h"

namespace sgpt {

class RunWatch {
 public:
  /// Distributions are measured at every step that is a multiple of this.
  static constexpr std::int64_t kHistogramSteps = 100;

  /// The options outlive it. Only the first rank's run is observed. Throws UserError when an observer can't be had.
  explicit RunWatch(const TrainOptions& options, bool first_rank = true);

  /// Before the first step, when all else is known to be sound: throws UserError when an observer finds the options
  /// wrong (the run's folder cannot be made, the log is another run's).
  void start(const RunInfo& info);
  /// After the step: the model holds its gradients (not clipped) and the new values.
  void step(const TrainStep& step, const Decoder& model);
  /// Scores of the model after `step` steps; before step() of the last of them.
  void score(std::int64_t step, std::span<const NamedNumber> numbers);
  void end(const TrainResult& result);
  /// After the end, or after the start of a run without steps.
  void evaluation(std::span<const NamedNumber> numbers);

 private:
  template <class Tell>
  void tell_all(const Tell& tell);

  const TrainOptions& options_;
  std::vector<std::unique_ptr<TrainObserver>> observers_;
  std::int64_t steps_ = 0;  // done at the end
};

/// The distributions of the trained parameters' gradients, of their values, or of both.
std::vector<NamedHistogram> measure_model(const Decoder& model, WatchLog what);

}  // namespace sgpt
