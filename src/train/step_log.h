// The log of a run that --log_file asks for: one JSON line a step.
#pragma once

#include <filesystem>
#include <utility>

#include "train/observer.h"
#include "train/step_lines.h"

namespace sgpt {

class StepLog : public TrainObserver {
 public:
  /// Of a resumed run the lines of earlier steps stay.
  explicit StepLog(std::filesystem::path path) : path_(std::move(path)) {}

  void on_start(const RunInfo& info) override {
    if (info.total_steps > 0) lines_ = StepLines(path_, info.first_step, "--log_file ");
  }
  void on_step(const TrainStep& step) override { lines_.write(step_line(step)); }

 private:
  std::filesystem::path path_;
  StepLines lines_;
};

}  // namespace sgpt
