// A file with one JSON line a step, there to be read while training goes on: the log, and the record of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "sgpt/trainer.h"

namespace sgpt {

/// {"step": 7, "loss": 0.5, …}
std::string step_line(const TrainStep& step);

class StepLines {
 public:
  /// Writes nowhere until another one is assigned.
  StepLines() = default;
  /// "-" is stdout. Of a file, what follows the last whole line of a step before `first_step` goes. Throws UserError,
  /// which begins with `option`, when the file cannot be written, or another run is writing it.
  StepLines(const std::filesystem::path& path, std::int64_t first_step, std::string_view option = "");

  /// Throws MachineError when the disk is full, or nobody reads the pipe any more.
  void write(std::string_view line);

 private:
  File file_;
};

}  // namespace sgpt
