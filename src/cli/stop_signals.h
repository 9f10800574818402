// Ctrl-C and its like. They end the program at once, and what is unfinished goes with it. Where a job can save they are
// a wish first: one is remembered, so that the job can finish what it is at; the second one ends the program.
#pragma once

namespace sgpt::cli {

/// For the whole program: signals that end it remove what is unfinished (base/unfinished.h) first.
void end_cleanly_on_signals();

/// Takes SIGINT, SIGTERM, SIGHUP and SIGUSR1 (which batch systems send ahead of their time limit, and mpirun hands on)
/// while it lives. One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  int received() const;  ///< the signal's number; 0: none yet
};

}  // namespace sgpt::cli
