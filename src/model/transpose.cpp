#include "model/transpose.h"

#include <algorithm>

namespace sgpt {
namespace {

constexpr std::int64_t kBlock = 32;  // rows and columns that are turned over at a time, within the cache

template <class Element>
void transpose_as(const void* from, std::int64_t rows, std::int64_t cols, void* to) {
  const auto* source = static_cast<const Element*>(from);
  auto* target = static_cast<Element*>(to);
#pragma omp parallel for schedule(static)
  for (std::int64_t col = 0; col < cols; col += kBlock) {
    for (std::int64_t row = 0; row < rows; row += kBlock) {
      for (std::int64_t c = col; c < std::min(cols, col + kBlock); ++c) {
        for (std::int64_t r = row; r < std::min(rows, row + kBlock); ++r) target[c * rows + r] = source[r * cols + c];
      }
    }
  }
}

}  // namespace

void transpose(ConstMatrix from, std::span<std::byte> to) {
  switch (size_of(from.type)) {
    case 1: return transpose_as<std::uint8_t>(from.data, from.rows, from.cols, to.data());
    case 2: return transpose_as<std::uint16_t>(from.data, from.rows, from.cols, to.data());
    case 4: return transpose_as<std::uint32_t>(from.data, from.rows, from.cols, to.data());
    default: return transpose_as<std::uint64_t>(from.data, from.rows, from.cols, to.data());
  }
}

}  // namespace sgpt
