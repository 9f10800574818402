#include "serve/run_server.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <thread>

#include <fmt/format.h>

#include "base/log.h"
#include "serve/app.h"

namespace sgpt::serve {
namespace {

/// What systemd's sd_notify does: one datagram to a socket that the environment names.
void notify(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  const ssize_t sent =
      ::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  if (sent < 0) log::warning(fmt::format("NOTIFY_SOCKET {}: {}", path, std::strerror(errno)));
  ::close(socket);
}

/// A descriptor for each connection, and some for the model's files.
void raise_open_files(std::size_t connections) {
  const rlim_t needed = connections + 256;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
  const rlim_t most = std::min(limit.rlim_max, needed);
  limit.rlim_cur = most;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0 && most == needed) return;
  log::warning(
      fmt::format("{} open files are allowed, but {} connections need {}: raise the limit (ulimit -n) or lower "
                  "--max_connections",
                  most, connections, needed));
}

/// Waits for a signal of the set, or until `done`.
int next_signal(const sigset_t& signals, const std::atomic<bool>& done) {
  while (true) {
    const timespec moment{0, 20'000'000};
    const int signal = ::sigtimedwait(&signals, nullptr, &moment);
    if (signal > 0) return signal;
    if (done) return 0;
  }
}

}  // namespace

void run_server(const ServeOptions& options) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  raise_open_files(options.http.limits.connections);
  // The threads that are made from here on leave these signals to this one. While the model is read they end the
  // program.
  std::optional<App> app(std::in_place, options);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const bool local =
      options.http.hostname == "127.0.0.1" || options.http.hostname == "localhost" || options.http.hostname == "::1";
  log::info(fmt::format("listening on http://{}:{}", options.http.hostname, app->port()));
  if (!local && options.keys.empty()) {
    log::warning(fmt::format("{}: whoever reaches this address is served, without a key (--api_key_file)",
                             options.http.hostname));
  }
  notify("READY=1");

  std::atomic<bool> never = false, loading = false;
  std::thread loader;
  int signal = 0;
  while ((signal = next_signal(signals, never)) == SIGHUP) {
    if (loading.exchange(true)) {
      log::info("the model is being loaded anew already");
      continue;
    }
    if (loader.joinable()) loader.join();
    loader = std::thread([&] {
      app->reload();
      loading = false;
    });
  }

  log::info("stopping: what was accepted is finished; a second signal ends at once");
  notify("STOPPING=1");
  std::atomic<bool> stopped = false;
  std::thread stopper([&] {
    if (!app->stop()) log::warning("the time for finishing (--grace) was over: some requests were refused");
    stopped = true;
  });
  while ((signal = next_signal(signals, stopped)) != 0) {
    if (signal != SIGHUP) ::_exit(128 + signal);
  }
  stopper.join();
  if (loader.joinable()) loader.join();
}

}  // namespace sgpt::serve
