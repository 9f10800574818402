// A tile of a matrix product: the part that differs between types and processors. product.h cuts whole
// products into tiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "backend/cpu/workspace.h"
#include "tensor/dtype.h"
#include "tensor/quantize.h"
#include "tensor/require.h"

namespace sgpt::cpu {

/// A matrix of f32, f16, bf16 or quantized i8 with any strides, one of them being 1; element (i, j) lies at
/// data[i * row_stride + j * col_stride].
struct StridedMatrix {
  const void* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t row_stride = 0;
  std::int64_t col_stride = 1;
  DType type = DType::f32;
  // Of i8, which are always Wᵀ: block b of column j (kQuantizationBlock rows) has the scale scales[j * scale_stride +
  // b].
  const float* scales = nullptr;
  std::int64_t scale_stride = 0;

  /// Throws std::logic_error where the numbers are of another type.
  const float* f32() const {
    if (type != DType::f32) [[unlikely]]
      refuse_type(type);
    return static_cast<const float*>(data);
  }
  const void* at(std::int64_t row, std::int64_t col) const {
    return static_cast<const std::byte*>(data) +
           (row * row_stride + col * col_stride) * static_cast<std::int64_t>(size_of(type));
  }
  StridedMatrix transposed() const { return {data, cols, rows, col_stride, row_stride, type, scales, scale_stride}; }
  /// Rows and columns from `row` (of i8: where a block begins) and `col` on.
  StridedMatrix part(std::int64_t row, std::int64_t count, std::int64_t col, std::int64_t wide) const {
    const float* part_scales = scales ? scales + col * scale_stride + row / kQuantizationBlock : nullptr;
    return {at(row, col), count, wide, row_stride, col_stride, type, part_scales, scale_stride};
  }
};

inline ConstMatrix shape_of(const StridedMatrix& m) { return {nullptr, m.rows, m.cols, m.type}; }

/// Where a right side is cut into blocks of rows, the last one is filled up with zeros to a multiple of this, so that
/// few shapes occur.
inline constexpr std::int64_t kInnerMultiple = 64;

/// Columns of a chunk of a packed right side, and of one for a kernel that is as fast with narrow ones.
inline constexpr std::int64_t kChunkCols = 256;
inline constexpr std::int64_t kNarrowChunkCols = 64;

/// What the values of a converted row stand for: lowest + step · value + fine_step · fine value. Of kernels that do not
/// quantize, nothing.
struct RowRange {
  float step = 0;
  float lowest = 0;
  float fine_step = 0;  // 0: it has no fine values, whatever is in their place
};

/// Rows that are to be converted, `stride` numbers apart; there may be none.
struct SourceRows {
  const void* data = nullptr;
  DType type = DType::f32;  // or the kernel's left_type
  std::int64_t stride = 0;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
};

/// Rows of the left side, dense, as a kernel multiplies them; `fine` and `ranges` only where they were converted.
struct LeftRows {
  const void* values = nullptr;
  const void* fine = nullptr;
  const RowRange* ranges = nullptr;
};

/// Thread-safe; what a call computes depends on its arguments alone, and a row of the result only on that row of the
/// left side: the same bits wherever the row lies in the tile and however many rows the tile has.
class TileKernel {
 public:
  virtual ~TileKernel() = default;

  /// Whose it is and for which instructions, "own avx512_bf16": kernels of one type with other names have other bits,
  /// those of int8 apart.
  virtual std::string_view name() const = 0;
  /// Rows of the right side that a call of multiply takes at most; 0: any number.
  virtual std::int64_t inner_block() const { return 0; }
  /// Columns of a chunk of a packed right side, at most kChunkCols.
  virtual std::int64_t chunk_cols() const { return kChunkCols; }
  /// Rows of the left side, so wide, that had better stay in the cache while all columns of a packed right side pass
  /// by; 0: as many as a tile has.
  virtual std::int64_t lasting_rows(std::int64_t /*inner*/) const { return 0; }
  /// Columns that are packed at a time where all rows of the left side pass by.
  virtual std::int64_t streamed_cols(std::int64_t /*inner*/) const { return kNarrowChunkCols; }
  /// Bytes of the right side [inner, cols] in the kernel's layout.
  virtual std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const = 0;
  /// Lays `right` [<= inner, cols] into `packed`, zeros in the rows that it lacks.
  virtual void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const = 0;
  /// Rows of a tile come in multiples of this.
  virtual std::int64_t row_quantum() const = 0;
  /// Floats from one row of a tile to the next.
  virtual std::int64_t tile_stride(std::int64_t cols) const = 0;

  /// Whether rows of the left side are converted first, and how long a value is then.
  virtual bool converts_left() const { return false; }
  virtual std::size_t left_value_bytes() const { return sizeof(float); }
  /// The type whose numbers converted values are, where they are not integers.
  virtual DType left_type() const { return DType::f32; }
  /// Whether a converted row also has fine values.
  virtual bool has_fine_values() const { return false; }
  /// row_quantum() rows of a block: values[·, inner], and fine[·, inner] where it has any, in an order of its own, from
  /// numbers[rows, cols], zeros in the place of what is missing.
  virtual void convert_rows(const SourceRows& /*from*/, std::int64_t /*inner*/, void* /*values*/, void* /*fine*/,
                            RowRange* /*ranges*/) const {}

  /// A thread enters before it multiplies and leaves after that: some registers are the system's to give.
  virtual void enter() const {}
  virtual void leave() const {}

  /// tile[rows, cols] = left[rows, inner] · right, or += where `accumulate` says so.
  virtual void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols,
                        const void* packed, float* tile, bool accumulate, Workspace& workspace) const = 0;
};

/// Our own of f32, for every processor.
std::unique_ptr<TileKernel> make_simd_tiles();
/// Both sides rounded to bf16: our own, whose packing is quick; null on processors without AVX-512's instructions for
/// that.
std::unique_ptr<TileKernel> make_bf16_tiles();
/// The same on AMX's tiles; null on processors without them. And what it computes, bit for bit, on every processor,
/// slowly: for tests.
std::unique_ptr<TileKernel> make_amx_bf16_tiles();
std::unique_ptr<TileKernel> make_plain_amx_bf16_tiles();
/// 8-bit integers with exact sums, all with the same bits: on AMX's tiles and by AVX-512's instructions, null on
/// processors without them; for every processor; on plain tiles, for tests.
std::unique_ptr<TileKernel> make_amx_int8_tiles();
std::unique_ptr<TileKernel> make_vnni_int8_tiles();
std::unique_ptr<TileKernel> make_simd_int8_tiles();
std::unique_ptr<TileKernel> make_plain_amx_int8_tiles();

/// The slots of a Workspace that products use.
enum ProductSlot : std::size_t {
  kTileSlot,     // the tile of a product, until `finish` has it
  kPartSlot,     // what one block adds to it
  kCopySlot,     // of the right side while it is packed
  kConvertSlot,  // the same as floats
  kChunkSlot,    // a chunk of a streamed right side
  kSumsSlot,     // of integers
  kLeftSlot,     // the left side, converted: of the calling thread
  kRangeSlot     // its rows' ranges
};

/// A matrix of f32, f16 or bf16 as floats: itself, or a copy in kConvertSlot.
StridedMatrix as_floats(const StridedMatrix& m, Workspace& workspace);

}  // namespace sgpt::cpu
