// The log of a run that --log_file asks for: one JSON line a step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "sgpt/trainer.h"
#include "train/step_lines.h"

namespace sgpt {

class StepLog {
 public:
  /// With an empty path nothing is written. Of a resumed run the steps before `first_step` stay. Throws UserError when
  /// the file cannot be written.
  StepLog(const std::filesystem::path& path, std::int64_t first_step);

  /// Throws MachineError when the disk is full.
  void write(const TrainStep& step);

 private:
  std::optional<StepLines> lines_;
};

}  // namespace sgpt
