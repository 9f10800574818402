// Tiles in bf16 on AMX: both sides are rounded to bf16, sums are f32.
#include <algorithm>

#include "backend/cpu/processor.h"
#include "backend/cpu/tile_kernel.h"
#include "backend/cpu/tile_products.h"

namespace sgpt::cpu {
namespace {

constexpr std::int64_t kInnerBlock = 4096;
// Bytes of either side that stay in half the second cache while the other one passes by.
constexpr std::int64_t kLastingBytes = std::int64_t{1} << 20;
constexpr std::int64_t kMostStreamedCols = 256;

/// Every element of the product is one chain of steps in the order of k, wherever it lies: that is why a row has the
/// same bits whatever the other rows are.
template <class Unit>
class AmxBf16Tiles final : public TileKernel {
 public:
  std::string_view name() const override { return Unit::kPlain ? "own plain amx_bf16" : "own amx_bf16"; }
  std::int64_t inner_block() const override { return kInnerBlock; }
  std::int64_t chunk_cols() const override { return kNarrowChunkCols; }
  std::int64_t lasting_rows(std::int64_t inner) const override {
    return kLastingBytes / std::max(2 * inner, kUnitBytes);
  }
  std::int64_t streamed_cols(std::int64_t inner) const override {
    const std::int64_t chunks = kLastingBytes / (2 * std::max(inner, kUnitHalves) * kNarrowChunkCols);
    return std::clamp(chunks * kNarrowChunkCols, kNarrowChunkCols, kMostStreamedCols);
  }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return static_cast<std::size_t>(inner * registers_of(cols) * kUnitFloats) * size_of(DType::bf16);
  }
  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const override {
    pack_registers<Unit>(right, inner, packed, workspace);
  }

  std::int64_t row_quantum() const override { return kUnitRows; }
  std::int64_t tile_stride(std::int64_t cols) const override { return registers_of(cols) * kUnitFloats; }

  bool converts_left() const override { return true; }
  std::size_t left_value_bytes() const override { return size_of(DType::bf16); }
  DType left_type() const override { return DType::bf16; }
  /// Register behind register, [inner / 32][16 rows][32].
  void convert_rows(const SourceRows& from, std::int64_t inner, void* values, void*, RowRange*) const override {
    for (std::int64_t r = 0; r < kUnitRows; ++r) {
      const std::int64_t count = r < from.rows ? from.cols : 0;
      auto* to = static_cast<std::uint16_t*>(values) + r * kUnitHalves;
      if (from.type == DType::f32) {
        const auto* row = static_cast<const float*>(from.data);
        round_to_registers(count > 0 ? row + r * from.stride : nullptr, count, inner, to);
      } else {
        const auto* row = static_cast<const std::uint16_t*>(from.data);
        copy_to_registers(count > 0 ? row + r * from.stride : nullptr, count, inner, to);
      }
    }
  }

  void enter() const override { Unit::configure(); }
  void leave() const override { Unit::release(); }

  void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, bool accumulate, Workspace&) const override {
    const std::int64_t bytes = inner * kUnitRowBytes / 2;  // of 16 rows, and of 16 columns
    const Registers rows_of_left{static_cast<const std::byte*>(left.values), bytes};
    const Registers cols_of_right{static_cast<const std::byte*>(packed), bytes};
    multiply_registers<Unit>(rows_of_left, rows, cols_of_right, cols, inner / kUnitHalves, tile, tile_stride(cols),
                             accumulate);
  }
};

}  // namespace

std::unique_ptr<TileKernel> make_plain_amx_bf16_tiles() { return std::make_unique<AmxBf16Tiles<PlainTileUnit>>(); }

std::unique_ptr<TileKernel> make_amx_bf16_tiles() {
  return processor().amx_bf16 ? std::make_unique<AmxBf16Tiles<BestTileUnit>>() : nullptr;
}

}  // namespace sgpt::cpu
