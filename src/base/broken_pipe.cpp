#include "base/broken_pipe.h"

#include <pthread.h>

#include <ctime>

namespace sgpt {
namespace {

sigset_t pipe_signal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

}  // namespace

BrokenPipeAsError::BrokenPipeAsError() {
  const sigset_t set = pipe_signal();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
}

BrokenPipeAsError::~BrokenPipeAsError() {
  if (sigismember(&before_, SIGPIPE) == 1) return;
  const sigset_t set = pipe_signal();
  constexpr timespec kAtOnce{};
  while (sigtimedwait(&set, nullptr, &kAtOnce) == SIGPIPE) {  // what came meanwhile was for this thread, and is known
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace sgpt
