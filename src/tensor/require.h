// Checks at the border of operations, in every build: a mistake of the program itself ends in std::logic_error with
// what was expected and the shapes that were found, and not in wrong numbers. What holds costs its comparison alone.
#pragma once

#include <initializer_list>

#include "tensor/matrix.h"

namespace sgpt {

/// Throws std::logic_error: "EXPECTED; found [3, 4] of f32, [4, 5] of bf16".
[[noreturn]] void refuse_shapes(const char* expected, std::initializer_list<ConstMatrix> found);

/// `expected` names the operation and what it asks of the matrices, which follow in that order.
template <class... Matrices>
void require(bool holds, const char* expected, const Matrices&... found) {
  if (!holds) [[unlikely]]
    refuse_shapes(expected, {ConstMatrix(found)...});
}

}  // namespace sgpt
