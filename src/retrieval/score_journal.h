// The scores of a long run of re-ranking, kept beside its output while it grows, so that a killed run goes on where it
// was: a line that says what they are, then one double a pair in the order of the pairs.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace sgpt {

class ScoreJournal {
 public:
  /// OUTPUT.progress; none for a stream. `job` is everything that the scores depend on: those of another job are
  /// written over. Throws UserError when another process writes it.
  ScoreJournal(const std::filesystem::path& output, const std::string& job);

  /// Those of an earlier run.
  std::vector<double> take() { return std::move(scores_); }
  /// Returns when they are on the disk.
  void append(std::span<const double> scores);
  /// The run is whole.
  void remove();

 private:
  std::filesystem::path path_;
  File file_;
  std::vector<double> scores_;
};

}  // namespace sgpt
