#include "cli/stop_signals.h"

#include <csignal>

#include "base/unfinished.h"

namespace sgpt::cli {
namespace {

constexpr int kStopping[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1};
constexpr int kEnding[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGPIPE, SIGQUIT, SIGXCPU};

volatile std::sig_atomic_t received_signal = 0;  // a signal handler can reach nothing but a global

/// What is ignored stays so, as nohup and shells' & ask for.
template <class Signals>
void take(const Signals& signals, void (*handler)(int)) {
  for (const int signal : signals) {
    if (std::signal(signal, handler) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

void end(int signal) {
  remove_unfinished();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void remember(int signal) {
  received_signal = signal;
  take(kStopping, end);
}

}  // namespace

void end_cleanly_on_signals() {
  take(kEnding, end);
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is then an error of its writer
}

StopSignals::StopSignals() {
  received_signal = 0;
  take(kStopping, remember);
}

StopSignals::~StopSignals() { take(kStopping, end); }

int StopSignals::received() const { return received_signal; }

}  // namespace sgpt::cli
