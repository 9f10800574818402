// Tasks over the calling thread's OpenMP threads. Tasks are handed out one by one as threads come free, so results must
// not depend on which thread runs a task: every output belongs to one task. Loops whose work may throw go through here:
// an exception that leaves an OpenMP region by itself would terminate the program without a word.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace sgpt {

/// Each thread calls make_worker() once and then the worker with task numbers from [0, count). An exception
/// stops the rest and is thrown here; of several the one of the smallest number, so that a broken input has one message
/// with any number of threads.
template <class MakeWorker>
void parallel_workers(std::int64_t count, MakeWorker&& make_worker) {
  if (count <= 0) return;
  std::atomic<std::int64_t> next{0};
  std::exception_ptr failure;
  std::int64_t failed = count;  // its number; all smaller ones have begun by then
  std::mutex failure_mutex;
  const auto work = [&] {
    std::int64_t i = -1;
    try {
      auto worker = make_worker();
      for (i = next.fetch_add(1); i < count; i = next.fetch_add(1)) worker(i);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      if (i < failed) failure = std::current_exception(), failed = i;
      next = count;
    }
  };
  const int threads = static_cast<int>(std::min<std::int64_t>(count, omp_get_max_threads()));
  if (threads <= 1) {
    work();
  } else {
#pragma omp parallel num_threads(threads)
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

/// task(i) for every i in [0, count).
template <class Task>
void parallel_tasks(std::int64_t count, Task&& task) {
  parallel_workers(count, [&] { return [&](std::int64_t i) { task(i); }; });
}

/// task(begin, end) over [0, count) in pieces of `piece`; where the pieces begin does not depend on the threads.
template <class Task>
void parallel_ranges(std::int64_t count, std::int64_t piece, Task&& task) {
  parallel_tasks((count + piece - 1) / piece,
                 [&](std::int64_t i) { task(i * piece, std::min(count, (i + 1) * piece)); });
}

}  // namespace sgpt
