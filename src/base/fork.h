// Processes that fork after they have computed. OpenMP's threads do not exist in the child, which would wait for them
// for ever: so they are given back before each fork, in both processes anew at the next parallel region.
#pragma once

namespace sgpt {

/// From now on, before each fork of this process, the forking thread's OpenMP threads end. Once is enough; thread-safe.
void give_threads_back_at_fork();

/// Throws MachineError in a child that was forked where the OpenMP library could not give its threads back (versions
/// before 5.0 can't).
void require_threads_after_fork();

/// While one lives, other threads' forks wait: for those who hold a lock of what the child will use too, where the
/// thread that held it is gone. For a few instructions; not twice in a thread, and with no waiting for other threads
/// within.
class NoForkMeanwhile {
 public:
  NoForkMeanwhile();
  ~NoForkMeanwhile();
  NoForkMeanwhile(const NoForkMeanwhile&) = delete;
  NoForkMeanwhile& operator=(const NoForkMeanwhile&) = delete;
};

}  // namespace sgpt
