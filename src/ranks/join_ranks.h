// The other processes of this job, if mpirun started any.
#pragma once

#include <memory>

#include "base/communicator.h"

namespace sgpt {

/// All ranks when this process is one of several that mpirun started, itself alone otherwise (then MPI is not touched:
/// it takes a while to start). Once a process. Throws UserError when mpirun started several but this program was built
/// without MPI.
std::unique_ptr<Communicator> join_ranks();

/// How many processes mpirun started, this one included; 1 without mpirun.
int started_processes();

}  // namespace sgpt
