// Whoever watches a training run: TensorBoard files, the history for `sgpt report`, Weights & Biases.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "sgpt/trainer.h"
#include "train/watch/histogram.h"

namespace sgpt {

/// What is known of a run before its first step; without steps, a model is only evaluated. The options outlive the run.
struct RunInfo {
  const TrainOptions& options;
  std::int64_t first_step = 0;  ///< more than 0 when the run was resumed
  std::int64_t total_steps = 0;
  std::int64_t steps_per_epoch = 0;
  std::int64_t examples = 0;
  std::int64_t trained_parameters = 0;  ///< numbers
};

/// The distribution of the values of one parameter, or of its gradient: "gradients/h.0.mlp.dense_h_to_4h.bias".
struct NamedHistogram {
  std::string name;
  Histogram values;
};

/// One number of an evaluation: "MRR@10".
struct NamedNumber {
  std::string_view name;
  double value = 0;
};

/// All are called by the thread that trains, in the order of the run.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void on_start(const RunInfo&) {}
  virtual void on_step(const TrainStep&) {}
  /// During the run: the model after `step` steps was scored on dev pairs.
  virtual void on_score(std::int64_t /*step*/, std::span<const NamedNumber>) {}
  virtual void on_histograms(std::int64_t /*step*/, std::span<const NamedHistogram>) {}
  virtual void on_end(const TrainResult&) {}
  /// After the end: the model was saved, and evaluated.
  virtual void on_evaluation(std::int64_t /*step*/, std::span<const NamedNumber>) {}
};

}  // namespace sgpt
