// A sub-command that several processes under mpirun do together.
#pragma once

#include <functional>

#include "base/communicator.h"

namespace sgpt::cli {

/// Joins the other ranks, if there are any, and does `work` with them. When it throws on one of several ranks, that
/// rank says why, and all end with its exit status.
void with_ranks(const std::function<void(Communicator&)>& work);

/// Threads for this rank when the user named none: 0, for all cores, when it is alone or OMP_NUM_THREADS says how many.
int default_threads(const Communicator& ranks);

}  // namespace sgpt::cli
