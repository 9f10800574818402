// Matrices of a backend's memory between ranks.
#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"
#include "base/communicator.h"
#include "tensor/matrix.h"

namespace sgpt {

/// all = the rows of all ranks, one rank after the other; rank r has rows[r].
void gather_from_ranks(Communicator& ranks, Backend& backend, ConstMatrix mine, std::span<const std::int64_t> rows,
                       Matrix all);

/// mine = the sum over ranks of what they have for this rank's rows in `all`, which lies as after gather_from_ranks.
void sum_own_rows(Communicator& ranks, Backend& backend, ConstMatrix all, std::span<const std::int64_t> rows,
                  Matrix mine);

/// values = their sum over ranks.
void sum_over_ranks(Communicator& ranks, Backend& backend, Matrix values);

/// values = those of rank 0.
void broadcast(Communicator& ranks, Backend& backend, Matrix values);

}  // namespace sgpt
