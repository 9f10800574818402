// A file with one JSON line a step, there to be read while training goes on: the log, and the record of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace sgpt {

class StepLines {
 public:
  /// Writes nowhere until another one is assigned.
  StepLines() = default;
  /// The whole lines of steps before `first_step` that are in the file already stay, all others go. Throws UserError,
  /// which begins with `option`, when the file cannot be written.
  StepLines(const std::filesystem::path& path, std::int64_t first_step, std::string_view option = "");

  /// Throws MachineError when the disk is full.
  void write(std::string_view line);

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace sgpt
