#include "tensor/matrix.h"

#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include "tensor/require.h"

namespace sgpt {

void refuse_type(DType found) {
  throw std::logic_error(fmt::format("a matrix of {} is read as one of f32", name_of(found)));
}

void refuse_shapes(const char* expected, std::initializer_list<ConstMatrix> found) {
  std::string shapes;
  for (const ConstMatrix& matrix : found) {
    shapes +=
        fmt::format("{}[{}, {}] of {}", shapes.empty() ? "" : ", ", matrix.rows, matrix.cols, name_of(matrix.type));
  }
  throw std::logic_error(fmt::format("{}; found {}", expected, shapes));
}

}  // namespace sgpt
