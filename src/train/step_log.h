// The log of a run: one JSON line a step, there to be read while training goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "sgpt/trainer.h"

namespace sgpt {

class StepLog {
 public:
  /// With an empty path nothing is written. The lines of steps before `first_step` that are in the file already stay,
  /// all others go. Throws UserError when the file cannot be written.
  StepLog(const std::filesystem::path& path, std::int64_t first_step);

  /// Throws MachineError when the disk is full.
  void write(const TrainStep& step);

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace sgpt
