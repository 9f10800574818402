#include "mpi/start_mpi.h"
#include "sgpt/error.h"

namespace sgpt {

std::unique_ptr<Communicator> start_mpi() {
  throw UserError(
      "mpirun started several processes, but this sgpt was built without MPI, and each would do the whole work: "
      "install libopenmpi-dev and build it again, or run it without mpirun");
}

}  // namespace sgpt
