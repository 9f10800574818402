#include "cli/stop_signals.h"

#include <csignal>

namespace sgpt::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGUSR1};

volatile std::sig_atomic_t received_signal = 0;  // a signal handler can reach nothing but a global

void restore() {
  for (const int signal : kSignals) {
    if (std::signal(signal, SIG_DFL) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

void remember(int signal) {
  received_signal = signal;
  restore();
}

}  // namespace

StopSignals::StopSignals() {
  received_signal = 0;
  for (const int signal : kSignals) {
    if (std::signal(signal, remember) == SIG_IGN) std::signal(signal, SIG_IGN);  // as nohup and shells' & ask for
  }
}

StopSignals::~StopSignals() { restore(); }

int StopSignals::received() const { return received_signal; }

}  // namespace sgpt::cli
