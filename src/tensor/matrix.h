// A dense row-major matrix somewhere in the memory of a backend: a view that owns nothing.
// A vector is a matrix of one row. Letters for shapes: T tokens, B texts, d hidden, H heads, L layers, V vocabulary.
#pragma once

#include <cstdint>
#include <type_traits>

#include "tensor/dtype.h"

namespace sgpt {

/// Throws std::logic_error.
[[noreturn]] void refuse_type(DType found);

template <class Void>
struct BasicMatrix {
  template <class T>
  using Element = std::conditional_t<std::is_const_v<Void>, const T, T>;

  Void* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  DType type = DType::f32;

  BasicMatrix() = default;
  BasicMatrix(Void* data_, std::int64_t rows_, std::int64_t cols_, DType type_ = DType::f32)
      : data(data_), rows(rows_), cols(cols_), type(type_) {}

  /// A read-only view of a writable matrix.
  template <class Other>
  requires(std::is_const_v<Void> && !std::is_const_v<Other>) BasicMatrix(const BasicMatrix<Other>& m)
      : BasicMatrix(m.data, m.rows, m.cols, m.type) {}

  explicit operator bool() const { return data != nullptr; }
  std::int64_t size() const { return rows * cols; }
  std::size_t bytes() const { return static_cast<std::size_t>(size()) * size_of(type); }

  /// Throws std::logic_error where the numbers are of another type.
  Element<float>* f32() const {
    if (type != DType::f32) [[unlikely]]
      refuse_type(type);
    return static_cast<Element<float>*>(data);
  }
  Element<float>* f32_row(std::int64_t row) const { return f32() + row * cols; }

  /// `count` rows from `first` on.
  BasicMatrix slice(std::int64_t first, std::int64_t count) const {
    auto* begin = static_cast<Element<unsigned char>*>(data) + static_cast<std::size_t>(first * cols) * size_of(type);
    return {begin, count, cols, type};
  }
};

using Matrix = BasicMatrix<void>;
using ConstMatrix = BasicMatrix<const void>;

/// One element of an f32, f16 or bf16 matrix as a float; for code that needs no speed.
inline float float_at(ConstMatrix m, std::int64_t row, std::int64_t col) {
  const std::int64_t at = row * m.cols + col;
  switch (m.type) {
    case DType::bf16: return float_from_bf16(static_cast<const std::uint16_t*>(m.data)[at]);
    case DType::f16: return float_from_f16(static_cast<const std::uint16_t*>(m.data)[at]);
    default: return m.f32()[at];
  }
}

}  // namespace sgpt
