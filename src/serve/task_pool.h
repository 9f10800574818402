// A few threads for what is too long for the I/O thread: JSON, tokens, answers.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sgpt::serve {

/// Tasks must not throw. Thread-safe.
class TaskPool {
 public:
  explicit TaskPool(int threads);
  ~TaskPool() { stop(); }
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  /// False when the pool has stopped: the task is not run.
  bool post(std::function<void()> task);
  /// Runs what is there, then ends the threads.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sgpt::serve
