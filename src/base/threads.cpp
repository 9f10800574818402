#include "base/threads.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "base/fork.h"

namespace sgpt {

ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) {
  give_threads_back_at_fork();
  require_threads_after_fork();
  if (threads > 0) omp_set_num_threads(threads);
}

ThreadScope::~ThreadScope() { omp_set_num_threads(before_); }

namespace {

/// Cores that a process may run on; 0 when that cannot be known.
int cores_of(pid_t process) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return sched_getaffinity(process, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 0;
}

}  // namespace

int threads_a_process(int processes) {
  const int own = std::max(1, cores_of(0));
  const int all = std::max(own, cores_of(getppid()));  // a launcher may have bound each process to some of its cores
  return std::clamp(all / processes, 1, own);
}

}  // namespace sgpt
