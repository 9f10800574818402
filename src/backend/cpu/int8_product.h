// A block of a product of quantized matrices: the part of int8_tiles.cpp that differs between processors. All give the
// same bits: sums of bytes are exact, and what they stand for is added up in f32 in one order.
#pragma once

#include "backend/cpu/tile_kernel.h"

namespace sgpt::cpu {

/// Rows of a block of the left side. A value stands for lowest + step · value; fine steps are not looked at.
struct Int8Rows {
  const void* values;      // [count, inner]
  const RowRange* ranges;  // [count]
  std::int64_t count;
};

/// A block of the right side.
struct Int8Columns {
  const void* packed;   // integers, [inner, cols] in a layout of the product's own
  const float* scales;  // [stride(cols)]: what 1 stands for in a column
  const float* sums;    // [stride(cols)]: scale · Σ of the integers of each column
  std::int64_t inner;   // at most kQuantizationBlock, a multiple of kInnerMultiple
  std::int64_t cols;
};

class Int8Product {
 public:
  virtual ~Int8Product() = default;

  virtual std::int64_t lasting_rows(std::int64_t /*inner*/) const { return 0; }
  virtual void enter() const {}
  virtual void leave() const {}
  /// Floats from one row of a tile to the next.
  virtual std::int64_t stride(std::int64_t cols) const = 0;

  virtual std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const = 0;
  /// `columns` [cols, inner] of i8: column by column.
  virtual void pack(const std::int8_t* columns, std::int64_t inner, std::int64_t cols, void* packed,
                    Workspace& workspace) const = 0;

  /// A value of the left side is an integer of 8 or 16 bits, as convert_row says.
  virtual std::size_t left_value_bytes() const = 0;
  virtual void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void* fine,
                           RowRange& range) const = 0;

  /// tile[rows.count, columns.cols] = what rows · columns stands for, or += where `accumulate` says so.
  virtual void multiply(const Int8Rows& rows, const Int8Columns& columns, bool accumulate, float* tile,
                        Workspace& workspace) const = 0;
};

/// On AMX's tiles; null on processors without them. The same on plain ones, for tests.
std::unique_ptr<Int8Product> make_amx_int8_product();
std::unique_ptr<Int8Product> make_plain_amx_int8_product();
/// Our own for AVX-512's such instructions (VNNI); null on processors without them.
std::unique_ptr<Int8Product> make_vnni_int8_product();
/// For every processor, by products of 16-bit integers.
std::unique_ptr<Int8Product> make_simd_int8_product();

}  // namespace sgpt::cpu
