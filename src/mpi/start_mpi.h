// What sgpt does with MPI: built from start_mpi.cpp where MPI is there, from no_mpi.cpp where it is not.
#pragma once

#include <memory>

#include "base/communicator.h"

namespace sgpt {

/// All processes that mpirun started; MPI ends with the communicator. Once a process.
std::unique_ptr<Communicator> start_mpi();

}  // namespace sgpt
