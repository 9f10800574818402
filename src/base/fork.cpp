#include "base/fork.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>

#include "sgpt/error.h"

namespace sgpt {
namespace {

using Pause = int (*)(int);
constexpr int kHard = 2;  // omp_pause_hard: threads and all else that the library can make anew

std::atomic<Pause> pause_all = nullptr;
std::atomic<bool> threads_lost = false;

// Read-locked by NoForkMeanwhile, write-locked by forks, which new readers let pass.
constexpr pthread_rwlock_t kOpen = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
pthread_rwlock_t gate = kOpen;

void before_fork() {
  if (const Pause pause = pause_all) pause(kHard);
  ::pthread_rwlock_wrlock(&gate);
}

void in_parent() { ::pthread_rwlock_unlock(&gate); }

void in_child() {
  gate = kOpen;  // it was locked by a thread of another number
  if (!pause_all) threads_lost = true;
}

}  // namespace

void give_threads_back_at_fork() {
  // Looked up while the program runs: Python packages bring OpenMP libraries that lack the function, and whichever was
  // loaded first serves all.
  [[maybe_unused]] static const bool once = [] {
    pause_all = reinterpret_cast<Pause>(::dlsym(RTLD_DEFAULT, "omp_pause_resource_all"));
    return ::pthread_atfork(before_fork, in_parent, in_child) == 0;
  }();
}

NoForkMeanwhile::NoForkMeanwhile() { ::pthread_rwlock_rdlock(&gate); }
NoForkMeanwhile::~NoForkMeanwhile() { ::pthread_rwlock_unlock(&gate); }

void require_threads_after_fork() {
  if (!threads_lost) return;
  throw MachineError(
      "this process was forked from one that computed before, and its OpenMP library is too old to make threads anew; "
      "start processes by \"spawn\" (multiprocessing.get_context(\"spawn\")) instead, or load the model in the child "
      "alone");
}

}  // namespace sgpt
