// How many threads the calling thread's parallel regions use.
#pragma once

namespace sgpt {

/// Sets OpenMP's thread count for the calling thread while it lives; 0 leaves it as it is (by default all the cores
/// that this process may use).
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

/// Threads for each of so many processes that share this machine: the cores that they may use, dealt out evenly, but
/// not more than this process is bound to.
int threads_a_process(int processes);

}  // namespace sgpt
