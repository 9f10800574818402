// Writing into a pipe that nobody reads any more, as an error instead of a signal that ends the process.
#pragma once

#include <csignal>

namespace sgpt {

/// While it lives, the calling thread's writes fail with EPIPE.
class BrokenPipeAsError {
 public:
  BrokenPipeAsError();
  ~BrokenPipeAsError();
  BrokenPipeAsError(const BrokenPipeAsError&) = delete;
  BrokenPipeAsError& operator=(const BrokenPipeAsError&) = delete;

 private:
  sigset_t before_;
};

}  // namespace sgpt
