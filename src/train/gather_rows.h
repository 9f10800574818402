// Rows of a matrix in another order.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "tensor/arena.h"
#include "tensor/matrix.h"

namespace sgpt {

/// to[i] = from[order[i]]: a look-up in a table, which is what embed is.
inline void gather_rows(Backend& backend, ConstMatrix from, const std::vector<std::int32_t>& order, Matrix to,
                        Arena& arena) {
  if (order.empty()) return;
  const Arena::Scope scope(arena);
  TokenBatch rows;
  rows.add(order);
  backend.embed(backend.place(rows, arena), from, to);
}

}  // namespace sgpt
