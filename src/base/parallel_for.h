// Loops over OpenMP's threads whose exceptions arrive. None may leave an OpenMP region by itself: the program would be
// terminated without a word.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>

namespace sgpt {

/// work(i) for every i in [0, count), in pieces of `piece` as threads come free. Of several exceptions the one of the
/// smallest i is thrown, whichever thread was first: a broken input has one message with any number of threads.
template <class Work>
void parallel_for(std::int64_t count, std::int64_t piece, Work&& work) {
  std::exception_ptr failure;
  std::int64_t failed = count;
  std::mutex mutex;
#pragma omp parallel for schedule(dynamic, piece)
  for (std::int64_t i = 0; i < count; ++i) {
    try {
      work(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i < failed) failure = std::current_exception(), failed = i;
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sgpt
