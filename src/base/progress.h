// How far a long job has come: a bar with rate and time left on a terminal, a plain line now and then otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sgpt {

/// Not thread-safe: one thread reports.
class Progress {
 public:
  /// `unit` is what is counted ("texts", "steps"); total 0 where it is not known.
  Progress(std::string title, std::string unit, std::int64_t total);
  ~Progress();  // finishes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` in all; `note` stands at the end of the line ("loss 0.41"). Draws at most a few times a second.
  void update(std::int64_t done, std::string_view note = {});

 private:
  void draw(bool last);

  std::string title_;
  std::string unit_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  std::int64_t resumed_ = -1;  // what the first update said: not counted in the rate
  std::string note_;
  bool terminal_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point drawn_;
};

}  // namespace sgpt
