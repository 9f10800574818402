#include "base/helper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt {
namespace {

using std::chrono::milliseconds;

/// Returns posix_spawnp's error number, 0 when the program runs.
int spawn(const std::vector<std::string>& command, int socket, pid_t& process) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int error = posix_spawnp(&process, words.front(), &actions, &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

HelperProcess::HelperProcess(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw MachineError(fmt::format("{} cannot be started: {}", command.front(), std::strerror(errno)));
  }
  const int error = spawn(command, ends[1], process_);
  ::close(ends[1]);
  socket_ = ends[0];
  if (error == 0) return;
  ::close(socket_);
  const std::string reason = fmt::format("{} cannot be started: {}", command.front(), std::strerror(error));
  if (error == ENOENT || error == EACCES || error == ENOEXEC) throw UserError(reason);
  throw MachineError(reason);
}

HelperProcess::~HelperProcess() {
  if (process_ != 0) {
    ::kill(-process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  ::close(socket_);
}

bool HelperProcess::send(std::string_view line) {
  send_backlog();
  if (gone_ || backlog_.size() + line.size() + 1 > kBacklog) return false;
  backlog_.append(line).push_back('\n');
  send_backlog();
  return !gone_;
}

bool HelperProcess::flush(Clock::time_point deadline) {
  send_backlog();
  while (!backlog_.empty() && !gone_ && wait_for(POLLOUT, deadline)) send_backlog();
  return backlog_.empty() && !gone_;
}

/// A helper that is gone is not noticed by SIGPIPE, which would end this program, but by send's error.
void HelperProcess::send_backlog() {
  while (!backlog_.empty() && !gone_) {
    const ssize_t sent = ::send(socket_, backlog_.data(), backlog_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      backlog_.erase(0, static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      gone_ = true;
    }
  }
}

std::optional<std::string> HelperProcess::receive(Clock::time_point deadline) {
  for (;;) {
    if (const std::size_t end = said_.find('\n'); end != std::string::npos) {
      std::string line = said_.substr(0, end);
      said_.erase(0, end + 1);
      return line;
    }
    if (!wait_for(POLLIN, deadline) || !read_some()) return std::nullopt;
  }
}

/// False at the end of what the helper says. (It may have said something before our sending to it failed.)
bool HelperProcess::read_some() {
  std::array<char, 4096> bytes{};
  const ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got > 0) said_.append(bytes.data(), static_cast<std::size_t>(got));
  if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return true;
  if (got <= 0) gone_ = true;
  return got > 0;
}

bool HelperProcess::wait_for(short events, Clock::time_point deadline) const {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    pollfd place{.fd = socket_, .events = events, .revents = 0};
    const int ready = ::poll(&place, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool HelperProcess::finish(Clock::time_point deadline) {
  flush(deadline);
  ::shutdown(socket_, SHUT_WR);
  if (reap(deadline)) return true;
  ::kill(-process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = 0;
  return false;
}

/// Looks now and then: there is no portable wait for a process with a time limit.
bool HelperProcess::reap(Clock::time_point deadline) {
  while (process_ != 0) {
    const pid_t ended = ::waitpid(process_, nullptr, WNOHANG);
    if (ended == process_ || (ended < 0 && errno != EINTR)) {
      process_ = 0;
    } else if (Clock::now() >= deadline) {
      return false;
    } else {
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
  return true;
}

}  // namespace sgpt
