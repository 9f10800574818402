// Tiles in bf16 on AMX: both sides are rounded to bf16, sums are f32. A block of two times two registers of sums takes
// two registers of either side a step; those lie in memory as they are loaded, one kilobyte each.
#include <algorithm>
#include <array>
#include <cstring>

#include "backend/cpu/bf16_packing.h"
#include "backend/cpu/processor.h"
#include "backend/cpu/tile_kernel.h"
#include "backend/cpu/tile_unit.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {
namespace {

constexpr std::int64_t kInnerBlock = 4096;
// Bytes of either side that stay in half the second cache while the other one passes by.
constexpr std::int64_t kLastingBytes = std::int64_t{1} << 20;
constexpr std::int64_t kMostStreamedCols = 256;

std::int64_t registers_of(std::int64_t cols) { return (cols + kUnitFloats - 1) / kUnitFloats; }

/// One block of sums. Strides are in bytes.
struct Block {
  const std::byte* left;
  std::int64_t left_stride;  // from 16 rows to the next
  const std::byte* right;
  std::int64_t right_stride;  // from 16 columns to the next
  std::int64_t steps;         // of kUnitHalves in k
  float* sums;
  std::int64_t stride;  // from row to row
};

template <class Unit, int kRows, int kCols, bool kStore>
void move_sums(const Block& block) {
  const auto move = [&]<int kTile>(std::int64_t row, std::int64_t col) {
    auto* at = reinterpret_cast<std::byte*>(block.sums) + row * kUnitRows * block.stride + col * kUnitRowBytes;
    if constexpr (kStore) {
      Unit::template store<kTile>(at, block.stride);
    } else {
      Unit::template load<kTile>(at, block.stride);
    }
  };
  move.template operator()<0>(0, 0);
  if constexpr (kCols > 1) move.template operator()<1>(0, 1);
  if constexpr (kRows > 1) move.template operator()<2>(1, 0);
  if constexpr (kRows > 1 && kCols > 1) move.template operator()<3>(1, 1);
}

/// sums[kRows · 16, kCols · 16] (+)= left · right.
template <class Unit, int kRows, int kCols>
void multiply_block(const Block& block, bool accumulate) {
  if (accumulate) {
    move_sums<Unit, kRows, kCols, false>(block);
  } else {
    Unit::template zero<0>();
    if constexpr (kCols > 1) Unit::template zero<1>();
    if constexpr (kRows > 1) Unit::template zero<2>();
    if constexpr (kRows > 1 && kCols > 1) Unit::template zero<3>();
  }
  const std::byte *left = block.left, *right = block.right;
  for (std::int64_t step = 0; step < block.steps; ++step, left += kUnitBytes, right += kUnitBytes) {
    Unit::template load<4>(left, kUnitRowBytes);
    Unit::template load<6>(right, kUnitRowBytes);
    Unit::template multiply_bf16<0, 4, 6>();
    if constexpr (kCols > 1) {
      Unit::template load<7>(right + block.right_stride, kUnitRowBytes);
      Unit::template multiply_bf16<1, 4, 7>();
    }
    if constexpr (kRows > 1) {
      Unit::template load<5>(left + block.left_stride, kUnitRowBytes);
      Unit::template multiply_bf16<2, 5, 6>();
      if constexpr (kCols > 1) Unit::template multiply_bf16<3, 5, 7>();
    }
  }
  move_sums<Unit, kRows, kCols, true>(block);
}

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
    if constexpr (!Unit::kPlain) return pack_bf16(right, inner, {.pair_step = 1, .vector_step = inner / 2}, packed);
    const StridedMatrix floats = as_floats(right, workspace);
    auto* values = static_cast<std::uint16_t*>(packed);
    std::fill_n(values, packed_bytes(inner, right.cols) / sizeof(*values), std::uint16_t{0});
    for (std::int64_t k = 0; k < right.rows; ++k) {
      for (std::int64_t j = 0; j < right.cols; ++j) {
        const std::int64_t first = j / kUnitFloats * kUnitFloats;
        values[first * inner + k / 2 * kUnitHalves + (j - first) * 2 + k % 2] =
            bf16_from_float(*static_cast<const float*>(floats.at(k, j)));
      }
    }
  }

  std::int64_t row_quantum() const override { return kUnitRows; }
  std::int64_t tile_stride(std::int64_t cols) const override { return registers_of(cols) * kUnitFloats; }

  bool converts_left() const override { return true; }
  std::size_t left_value_bytes() const override { return size_of(DType::bf16); }
  /// Register behind register, [inner / 32][16 rows][32].
  void convert_rows(const FloatRows& from, std::int64_t inner, void* values, void*, RowRange*) const override {
    alignas(kUnitRowBytes) std::array<std::uint16_t, static_cast<std::size_t>(kInnerBlock)> halves;
    for (std::int64_t r = 0; r < kUnitRows; ++r) {
      const bool present = r < from.rows;
      round_to_bf16(present ? from.data + r * from.stride : nullptr, present ? from.cols : 0, inner, halves.data());
      auto* to = static_cast<std::uint16_t*>(values) + r * kUnitHalves;
      for (std::int64_t k = 0; k < inner; k += kUnitHalves, to += kUnitRows * kUnitHalves) {
        std::memcpy(to, halves.data() + k, kUnitRowBytes);
      }
    }
  }

  void enter() const override { Unit::configure(); }
  void leave() const override { Unit::release(); }

  void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, bool accumulate, Workspace&) const override {
    const std::int64_t bytes = inner * kUnitFloats * 2;  // of 16 rows, and of 16 columns
    const std::int64_t registers = registers_of(cols), stride = tile_stride(cols);
    for (std::int64_t row = 0; row < rows; row += 2 * kUnitRows) {
      for (std::int64_t v = 0; v < registers; v += 2) {
        const Block block{static_cast<const std::byte*>(left.values) + row / kUnitRows * bytes,
                          bytes,
                          static_cast<const std::byte*>(packed) + v * bytes,
                          bytes,
                          inner / kUnitHalves,
                          tile + row * stride + v * kUnitFloats,
                          stride * static_cast<std::int64_t>(sizeof(float))};
        const bool two_rows = row + kUnitRows < rows, two_cols = v + 1 < registers;
        if (two_rows && two_cols) {
          multiply_block<Unit, 2, 2>(block, accumulate);
        } else if (two_rows) {
          multiply_block<Unit, 2, 1>(block, accumulate);
        } else if (two_cols) {
          multiply_block<Unit, 1, 2>(block, accumulate);
        } else {
          multiply_block<Unit, 1, 1>(block, accumulate);
        }
      }
    }
  }
};

}  // namespace

std::unique_ptr<TileKernel> make_plain_amx_bf16_tiles() { return std::make_unique<AmxBf16Tiles<PlainTileUnit>>(); }

#if defined(__x86_64__)
std::unique_ptr<TileKernel> make_amx_bf16_tiles() {
  return processor().amx_bf16 ? std::make_unique<AmxBf16Tiles<TileUnit>>() : nullptr;
}
#else
std::unique_ptr<TileKernel> make_amx_bf16_tiles() { return nullptr; }
#endif

}  // namespace sgpt::cpu
