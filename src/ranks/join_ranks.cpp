#include "ranks/join_ranks.h"

#include <cstdlib>

#include "base/communicator_alone.h"
#include "mpi/start_mpi.h"

namespace sgpt {

// Open MPI's mpirun says so, and those launchers that speak PMI.
int started_processes() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const char* size = std::getenv(name)) return std::atoi(size);
  }
  return 1;
}

std::unique_ptr<Communicator> join_ranks() {
  if (started_processes() > 1) return start_mpi();
  return std::make_unique<CommunicatorAlone>();
}

}  // namespace sgpt
