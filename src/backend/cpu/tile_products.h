// Products of bf16 in the registers of a tile unit: how both sides lie, and the loop over them. A register of the left
// side is 16 rows of 32 neighbours in k; one of the right side 16 pairs of neighbours in k of 16 columns. Those that
// are neighbours in k lie behind each other, one kilobyte each, as they are loaded.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/bf16_packing.h"
#include "backend/cpu/tile_unit.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {

inline std::int64_t registers_of(std::int64_t cols) { return (cols + kUnitFloats - 1) / kUnitFloats; }

/// A row of the left side: values[inner / 32] pieces, a register apart, from floats[count] and zeros after them.
inline void round_to_registers(const float* row, std::int64_t count, std::int64_t inner, std::uint16_t* values) {
  constexpr std::int64_t kPiece = 1024;  // of a row
  alignas(kUnitRowBytes) std::array<std::uint16_t, static_cast<std::size_t>(kPiece)> halves;
  for (std::int64_t k = 0; k < inner; k += kPiece) {
    const std::int64_t wide = std::min(kPiece, inner - k);
    const std::int64_t present = std::clamp<std::int64_t>(count - k, 0, wide);
    round_to_bf16(present > 0 ? row + k : nullptr, present, wide, halves.data());
    for (std::int64_t i = 0; i < wide; i += kUnitHalves, values += kUnitRows * kUnitHalves) {
      std::memcpy(values, halves.data() + i, kUnitRowBytes);
    }
  }
}

/// The same from numbers that are rounded already.
inline void copy_to_registers(const std::uint16_t* row, std::int64_t count, std::int64_t inner, std::uint16_t* values) {
  for (std::int64_t k = 0; k < inner; k += kUnitHalves, values += kUnitRows * kUnitHalves) {
    const std::int64_t present = std::clamp<std::int64_t>(count - k, 0, kUnitHalves);
    if (present > 0) std::memcpy(values, row + k, static_cast<std::size_t>(2 * present));
    if (present < kUnitHalves) std::memset(values + present, 0, static_cast<std::size_t>(2 * (kUnitHalves - present)));
  }
}

/// packed[cols / 16][inner / 32] registers from right[<= inner, cols]; inner is a multiple of 32.
template <class Unit>
void pack_registers(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) {
  if constexpr (!Unit::kPlain) {
    pack_bf16(right, inner, {.pair_step = 1, .vector_step = inner / 2}, packed);
  } else {
    const StridedMatrix floats = as_floats(right, workspace);
    auto* values = static_cast<std::uint16_t*>(packed);
    std::fill_n(values, inner * registers_of(right.cols) * kUnitFloats, std::uint16_t{0});
    for (std::int64_t k = 0; k < right.rows; ++k) {
      for (std::int64_t j = 0; j < right.cols; ++j) {
        const std::int64_t first = j / kUnitFloats * kUnitFloats;
        values[first * inner + k / 2 * kUnitHalves + (j - first) * 2 + k % 2] =
            bf16_from_float(*static_cast<const float*>(floats.at(k, j)));
      }
    }
  }
}

/// One block of sums. Strides are in bytes.
struct RegisterBlock {
  const std::byte* left;
  std::int64_t left_stride;  // from 16 rows to the next
  const std::byte* right;
  std::int64_t right_stride;  // from 16 columns to the next
  std::int64_t steps;         // of kUnitHalves in k
  float* sums;
  std::int64_t stride;  // from row to row
};

template <class Unit, int kRows, int kCols, bool kStore>
void move_sums(const RegisterBlock& block) {
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
void multiply_block(const RegisterBlock& block, bool accumulate) {
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

/// Where one side's registers begin, and bytes from those of 16 rows, or columns, to the next.
struct Registers {
  const std::byte* data;
  std::int64_t apart;
};

/// sums[rows, cols] (+)= left · right in whole registers, rows of sums `stride` floats apart.
template <class Unit>
void multiply_registers(const Registers& left, std::int64_t rows, const Registers& right, std::int64_t cols,
                        std::int64_t steps, float* sums, std::int64_t stride, bool accumulate) {
  const std::int64_t registers = registers_of(cols);
  for (std::int64_t row = 0; row < rows; row += 2 * kUnitRows) {
    for (std::int64_t v = 0; v < registers; v += 2) {
      const RegisterBlock block{left.data + row / kUnitRows * left.apart,
                                left.apart,
                                right.data + v * right.apart,
                                right.apart,
                                steps,
                                sums + row * stride + v * kUnitFloats,
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

}  // namespace sgpt::cpu
