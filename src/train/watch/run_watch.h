// All the observers of a run, as its options ask for them; measures the distributions that they are told of.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/bloom.h"
#include "train/observer.h"

namespace sgpt {

class RunWatch {
 public:
  /// Distributions are measured at every step that is a multiple of this.
  static constexpr std::int64_t kHistogramSteps = 100;

  /// The options outlive it.
  explicit RunWatch(const TrainOptions& options);

  /// Before the first step, when all else is known to be sound: throws UserError when the run's folder cannot be made.
  void start(const RunInfo& info);
  /// After the step: the model holds its gradients (not clipped) and the new values.
  void step(const TrainStep& step, const Bloom& model);
  void end(const TrainResult& result);

 private:
  const TrainOptions& options_;
  std::vector<std::unique_ptr<TrainObserver>> observers_;
};

/// The distributions of the trained parameters' gradients, of their values, or of both.
std::vector<NamedHistogram> measure_model(const Bloom& model, WatchLog what);

}  // namespace sgpt
