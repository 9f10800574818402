// Products of bytes on AMX's tiles. A register of the right side is 16 columns' words of four neighbours in k, as
// VNNI's panels have them. The sums of a block are stored where the first cache is, and what they stand for goes into
// the tile while the unit is at the next block.
#include <algorithm>
#include <cstring>

#include "backend/cpu/int8_product.h"
#include "backend/cpu/processor.h"
#include "backend/cpu/tile_unit.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {
namespace {

constexpr std::int64_t kBlockRows = 2 * kUnitRows;
constexpr std::int64_t kBlockCols = 2 * kUnitFloats;
constexpr std::int64_t kLastingBytes = std::int64_t{1} << 20;  // of the left side: half the second cache

/// sums[32, 32] = left[32, inner] · right, whose rows of words lie `inner` bytes and whose registers lie
/// inner · 16 bytes apart.
template <class Unit>
void multiply_block(const std::uint8_t* left, const std::int8_t* right, std::int64_t inner, std::int32_t* sums) {
  Unit::template zero<0>();
  Unit::template zero<1>();
  Unit::template zero<2>();
  Unit::template zero<3>();
  const std::int64_t apart = inner * kUnitRows;
  for (std::int64_t k = 0; k < inner; k += kUnitRowBytes) {
    Unit::template load<4>(left + k, inner);
    Unit::template load<6>(right + k * kUnitFloats, kUnitRowBytes);
    Unit::template multiply_bytes<0, 4, 6>();
    Unit::template load<7>(right + k * kUnitFloats + apart, kUnitRowBytes);
    Unit::template multiply_bytes<1, 4, 7>();
    Unit::template load<5>(left + k + apart, inner);
    Unit::template multiply_bytes<2, 5, 6>();
    Unit::template multiply_bytes<3, 5, 7>();
  }
  constexpr std::int64_t kStride = kBlockCols * 4;
  Unit::template store<0>(sums, kStride);
  Unit::template store<1>(sums + kUnitFloats, kStride);
  Unit::template store<2>(sums + kUnitRows * kBlockCols, kStride);
  Unit::template store<3>(sums + kUnitRows * kBlockCols + kUnitFloats, kStride);
}

template <class Unit>
class AmxInt8Product final : public Int8Product {
 public:
  std::int64_t lasting_rows(std::int64_t inner) const override {
    return kLastingBytes / std::max<std::int64_t>(inner, kQuantizationBlock);
  }
  std::int64_t stride(std::int64_t cols) const override { return (cols + kBlockCols - 1) / kBlockCols * kBlockCols; }

  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return static_cast<std::size_t>(inner * stride(cols));
  }
  void pack(const std::int8_t* columns, std::int64_t inner, std::int64_t cols, void* packed,
            Workspace&) const override {
    constexpr std::int64_t kWordBytes = 4;
    auto* to = static_cast<std::int8_t*>(packed);
    std::memset(to, 0, packed_bytes(inner, cols));
    for (std::int64_t j = 0; j < cols; ++j) {
      std::int8_t* word = to + j / kUnitFloats * inner * kUnitFloats + j % kUnitFloats * kWordBytes;
      for (std::int64_t k = 0; k < inner; k += kWordBytes, word += kUnitRowBytes) {
        std::memcpy(word, columns + j * inner + k, kWordBytes);
      }
    }
  }

  std::size_t left_value_bytes() const override { return 1; }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void* fine,
                   RowRange& range) const override {
    quantize_row(row, count, inner, static_cast<std::uint8_t*>(values), static_cast<std::uint8_t*>(fine), range);
  }

  void enter() const override { Unit::configure(); }
  void leave() const override { Unit::release(); }

  void multiply(const Int8Rows& rows, const Int8Columns& columns, bool accumulate, float* tile,
                Workspace& workspace) const override {
    const std::int64_t inner = columns.inner, wide = stride(columns.cols);
    auto* sums = static_cast<std::int32_t*>(workspace.bytes(kSumsSlot, kBlockRows * kBlockCols * sizeof(std::int32_t)));
    for (std::int64_t row = 0; row < rows.count; row += kBlockRows) {
      const std::int64_t count = std::min(kBlockRows, rows.count - row);
      const std::uint8_t* left =
          whole_block(static_cast<const std::uint8_t*>(rows.values) + row * inner, count, inner, workspace);
      for (std::int64_t j = 0; j < columns.cols; j += kBlockCols) {
        multiply_block<Unit>(left, static_cast<const std::int8_t*>(columns.packed) + j * inner, inner, sums);
        add_quantized({sums, kBlockCols, rows.ranges + row, columns.scales + j, columns.sums + j}, count,
                      std::min(kBlockCols, wide - j), accumulate, tile + row * wide + j, wide);
      }
    }
  }

 private:
  /// The rows, or a copy filled up with zeros.
  static const std::uint8_t* whole_block(const std::uint8_t* rows, std::int64_t count, std::int64_t inner,
                                         Workspace& workspace) {
    if (count == kBlockRows) return rows;
    auto* copy = static_cast<std::uint8_t*>(workspace.bytes(kCopySlot, static_cast<std::size_t>(kBlockRows * inner)));
    std::memcpy(copy, rows, static_cast<std::size_t>(count * inner));
    std::memset(copy + count * inner, 0, static_cast<std::size_t>((kBlockRows - count) * inner));
    return copy;
  }
};

}  // namespace

std::unique_ptr<Int8Product> make_plain_amx_int8_product() { return std::make_unique<AmxInt8Product<PlainTileUnit>>(); }

std::unique_ptr<Int8Product> make_amx_int8_product() {
  return processor().amx_int8 ? std::make_unique<AmxInt8Product<BestTileUnit>>() : nullptr;
}

}  // namespace sgpt::cpu
