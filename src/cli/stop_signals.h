// Ctrl-C and its like as a wish: the first one is remembered, so that a job can finish what it is at and save; the
// second one ends the program at once.
#pragma once

namespace sgpt::cli {

/// Takes SIGINT, SIGTERM and SIGUSR1 (which batch systems send ahead of their time limit, and mpirun hands on) while it
/// lives. One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  int received() const;  ///< the signal's number; 0: none yet
};

}  // namespace sgpt::cli
