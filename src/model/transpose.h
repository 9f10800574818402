// Matrices turned over: what a checkpoint has as [in, out] is computed with as [out, in].
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/matrix.h"

namespace sgpt {

/// to[cols, rows] = fromᵀ, bit by bit; both on the host, `to` of from's size.
void transpose(ConstMatrix from, std::span<std::byte> to);

}  // namespace sgpt
