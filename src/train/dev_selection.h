// The scores of a run's model on dev pairs as it went, and the trained values that scored best so far: they are what is
// saved in the end. A later score that is no better than an earlier one changes nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/decoder.h"
#include "retrieval/sts_evaluation.h"
#include "tensor/memory.h"

namespace sgpt {

class DevSelection {
 public:
  /// Holds a copy of the trained values in the backend's memory. The model must outlive it.
  explicit DevSelection(Decoder& model);

  /// The model after `step` steps has scored so; its values are kept when they are the best. Returns whether they are.
  bool add(std::int64_t step, const StsRow& row);

  std::span<const StsRow> rows() const { return rows_; }
  std::int64_t best_step() const { return best_step_; }  ///< 0: nothing was scored yet
  double best_score() const { return best_score_; }      ///< StsResult::main_score
  /// [1,P] of the model's trained values.
  Matrix best_values() const { return best_values_; }

  /// Of a run that goes on; best_values() are put there by the caller.
  void resume(std::vector<StsRow> rows, std::int64_t best_step);

  /// The model's trained values = the best.
  void restore_best();

 private:
  Decoder& model_;
  Buffer buffer_;
  Matrix best_values_;
  std::vector<StsRow> rows_;
  std::int64_t best_step_ = 0;
  double best_score_;
};

}  // namespace sgpt
