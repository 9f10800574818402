// A program that works beside this one and talks with it in lines. Its stdin is a socket that carries both ways, so
// that its own messages to people, on stdout and stderr, go where ours go: to stderr.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sgpt {

/// It runs in a process group of its own: Ctrl-C in the terminal does not reach it. When this process ends, in whatever
/// way, it reads the end of its input. Not thread-safe.
class HelperProcess {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kBacklog = std::size_t{8} << 20;  ///< bytes that may wait until the helper reads them

  /// The first word is looked up in PATH. Throws UserError when it is not there, MachineError when it cannot be
  /// started.
  explicit HelperProcess(const std::vector<std::string>& command);
  ~HelperProcess();  ///< kills it where it still runs
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;

  /// Never waits: what the helper does not read yet is kept and goes with a later call. False when the line is left
  /// out, because too much is waiting or the helper is gone.
  bool send(std::string_view line);
  /// Until everything that was sent has been read by the helper; false when that takes longer, or it is gone.
  bool flush(Clock::time_point deadline);
  /// The next line that the helper says; nothing when there is none until the deadline, or none will come any more.
  std::optional<std::string> receive(Clock::time_point deadline);
  /// The helper has closed its end, and all that it said was received.
  bool gone() const { return gone_; }
  /// Lets the helper read the end of its input and waits for its own. False when it had to be killed.
  bool finish(Clock::time_point deadline);

 private:
  void send_backlog();
  bool read_some();
  bool wait_for(short events, Clock::time_point deadline) const;
  bool reap(Clock::time_point deadline);

  pid_t process_ = 0;  // 0 once it has ended
  int socket_ = -1;
  bool gone_ = false;
  std::string backlog_;
  std::string said_;
};

}  // namespace sgpt
