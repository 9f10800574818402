// What attention on tiles shares, forward and backward: a head's numbers as the sides of products in bf16, a block of
// query rows at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "backend/cpu/tile_products.h"

namespace sgpt::cpu {

// Queries of a block: two registers' rows.
inline constexpr std::int64_t kBlockRows = 2 * kUnitRows;

inline std::int64_t round_up(std::int64_t n, std::int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/// A head's numbers of a text, as right sides: for each product of rows with the tokens' numbers, and for sums of
/// tokens.
template <class Unit>
class PackedHead {
 public:
  PackedHead(std::int64_t length, std::int64_t dim)
      : length_(length), dim_(dim), inner_(round_up(dim, kUnitHalves)), all_(round_up(length, kUnitHalves)) {}

  std::int64_t inner() const { return inner_; }  // the head's numbers, filled up
  std::int64_t all() const { return all_; }      // tokens, filled up

  /// [inner, all]: tokens are columns.
  Registers columns(const HeadRows<const float>& rows, std::size_t slot, Workspace& workspace) const {
    auto* packed = static_cast<std::byte*>(workspace.bytes(slot, static_cast<std::size_t>(2 * inner_ * all_)));
    // The last 16 tokens may be missing: registers come in twos.
    const std::int64_t filled = 2 * inner_ * registers_of(length_) * kUnitFloats;
    std::memset(packed + filled, 0, static_cast<std::size_t>(2 * inner_ * all_ - filled));
    pack_registers<Unit>({rows.data, dim_, length_, 1, rows.stride}, inner_, packed, workspace);
    return {packed, inner_ * kUnitRowBytes / 2};
  }
  /// [all, dim]: tokens are rows.
  Registers rows(const HeadRows<const float>& rows, std::size_t slot, Workspace& workspace) const {
    const std::int64_t wide = registers_of(dim_) * kUnitFloats;
    void* packed = workspace.bytes(slot, static_cast<std::size_t>(2 * all_ * wide));
    pack_registers<Unit>({rows.data, length_, dim_, rows.stride, 1}, all_, packed, workspace);
    return {static_cast<const std::byte*>(packed), all_ * kUnitRowBytes / 2};
  }

 private:
  std::int64_t length_;
  std::int64_t dim_;
  std::int64_t inner_;
  std::int64_t all_;
};

/// Of tokens that are columns: from a multiple of 32 on.
inline Registers columns_from(const Registers& columns, std::int64_t token) {
  return {columns.data + token / kUnitFloats * columns.apart, columns.apart};
}
/// Of tokens that are rows: from a multiple of 32 on.
inline Registers rows_from(const Registers& rows, std::int64_t token) {
  return {rows.data + token / kUnitHalves * kUnitBytes, rows.apart};
}

/// The keys that a block of queries is multiplied with: from a multiple of 32 on, as many multiples of 32.
struct SeenKeys {
  std::int64_t begin;
  std::int64_t count;
};
inline SeenKeys seen_keys(const AttentionHead& head, std::int64_t first, std::int64_t rows) {
  const std::int64_t begin = head.first_key(first) / kUnitHalves * kUnitHalves;
  return {begin, round_up(head.end_key(first + rows - 1), kUnitHalves) - begin};
}

inline std::byte* take_left_side(std::int64_t inner, std::size_t slot, Workspace& workspace) {
  return static_cast<std::byte*>(workspace.bytes(slot, static_cast<std::size_t>(2 * kBlockRows * inner)));
}

/// Rows of floats as the left side of a product, in a slot; those that are missing in a block are zeros.
inline Registers left_side(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t cols,
                           std::int64_t inner, std::byte* to) {
  const std::int64_t apart = inner * kUnitRowBytes / 2;
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    auto* values = reinterpret_cast<std::uint16_t*>(to + r / kUnitRows * apart + r % kUnitRows * kUnitRowBytes);
    round_to_registers(r < rows ? from + r * stride : nullptr, r < rows ? cols : 0, inner, values);
  }
  return {to, apart};
}

}  // namespace sgpt::cpu
