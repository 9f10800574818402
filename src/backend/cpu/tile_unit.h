// The matrix unit of x86 processors with AMX (Intel's "Architecture Instruction Set Extensions Programming Reference",
// chapter 3): eight registers of 16 rows of 64 bytes, which a thread configures before its first tile and releases
// after its last. Kernels are templates over the unit, so that the same loops run on a plain one wherever there is
// none: in tests, on every machine.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tensor/dtype.h"

namespace sgpt::cpu {

inline constexpr std::int64_t kUnitRows = 16;
inline constexpr std::int64_t kUnitRowBytes = 64;
inline constexpr std::int64_t kUnitBytes = kUnitRows * kUnitRowBytes;
inline constexpr std::int64_t kUnitFloats = kUnitRowBytes / 4;  // in a row
inline constexpr std::int64_t kUnitHalves = kUnitRowBytes / 2;
inline constexpr int kUnitTiles = 8;

/// In plain C++, bit for bit: denormals are zeros, going in and coming out.
class PlainTileUnit {
 public:
  static constexpr bool kPlain = true;

  static void configure() { tiles() = {}; }
  static void release() {}

  template <int kTile>
  static void zero() {
    tiles()[kTile] = {};
  }
  template <int kTile>
  static void load(const void* from, std::int64_t stride) {
    for (std::int64_t r = 0; r < kUnitRows; ++r) {
      std::memcpy(row<std::byte, kTile>(r), static_cast<const std::byte*>(from) + r * stride, kUnitRowBytes);
    }
  }
  template <int kTile>
  static void store(void* to, std::int64_t stride) {
    for (std::int64_t r = 0; r < kUnitRows; ++r) {
      std::memcpy(static_cast<std::byte*>(to) + r * stride, row<std::byte, kTile>(r), kUnitRowBytes);
    }
  }

  /// sums[16, 16] of f32 += left[16, 32] · right, bf16, right being [16 pairs][16 columns][2].
  template <int kSums, int kLeft, int kRight>
  static void multiply_bf16() {
    for (std::int64_t r = 0; r < kUnitRows; ++r) {
      for (std::int64_t c = 0; c < kUnitFloats; ++c) {
        float even = 0;
        float odd = 0;
        for (std::int64_t k = 0; k < kUnitRows; ++k) {
          even = added(number<kLeft>(r, 2 * k), number<kRight>(k, 2 * c), even);
          odd = added(number<kLeft>(r, 2 * k + 1), number<kRight>(k, 2 * c + 1), odd);
        }
        float& sum = row<float, kSums>(r)[c];
        sum = flushed(flushed(sum) + flushed(even + odd));
      }
    }
  }

  /// sums[16, 16] of 32-bit integers += left[16, 64] · right, bytes without and with a sign, right being
  /// [16][16 columns][4].
  template <int kSums, int kLeft, int kRight>
  static void multiply_bytes() {
    for (std::int64_t r = 0; r < kUnitRows; ++r) {
      for (std::int64_t c = 0; c < kUnitFloats; ++c) {
        for (std::int64_t k = 0; k < kUnitRows; ++k) {
          for (std::int64_t i = 0; i < 4; ++i) {
            row<std::int32_t, kSums>(r)[c] += std::int32_t{row<std::uint8_t, kLeft>(r)[4 * k + i]} *
                                              std::int32_t{row<std::int8_t, kRight>(k)[4 * c + i]};
          }
        }
      }
    }
  }

 private:
  struct alignas(kUnitRowBytes) Tile {
    std::array<std::byte, static_cast<std::size_t>(kUnitBytes)> bytes{};
  };

  static std::array<Tile, kUnitTiles>& tiles() {
    thread_local std::array<Tile, kUnitTiles> of_thread;
    return of_thread;
  }
  template <class T, int kTile>
  static T* row(std::int64_t r) {
    return reinterpret_cast<T*>(tiles()[kTile].bytes.data() + r * kUnitRowBytes);
  }
  static float flushed(float x) {
    return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0F, x) : x;
  }
  static float added(float x, float y, float sum) { return flushed(std::fma(x, y, sum)); }
  template <int kTile>
  static float number(std::int64_t r, std::int64_t c) {
    return flushed(float_from_bf16(row<std::uint16_t, kTile>(r)[c]));
  }
};

/// A thread's use of a unit.
template <class Unit>
class UnitScope {
 public:
  UnitScope() { Unit::configure(); }
  UnitScope(const UnitScope&) = delete;
  UnitScope& operator=(const UnitScope&) = delete;
  ~UnitScope() { Unit::release(); }
};

#if defined(__x86_64__)

/// The processor's. Written as instructions, since compilers' own functions want a number of a register as a literal,
/// and GCC 12's tell its optimiser of eight bytes of the configuration only. No compiler keeps anything in tiles.
class TileUnit {
 public:
  static constexpr bool kPlain = false;

  static void configure() {
    struct alignas(64) Configuration {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::array<std::uint8_t, 14> reserved{};
      std::array<std::uint16_t, 16> row_bytes{};
      std::array<std::uint8_t, 16> rows{};
    } all;
    for (std::size_t tile = 0; tile < kUnitTiles; ++tile) {
      all.row_bytes[tile] = kUnitRowBytes;
      all.rows[tile] = kUnitRows;
    }
    asm volatile("ldtilecfg %0" : : "m"(all) : "memory");
  }
  static void release() { asm volatile("tilerelease" : : : "memory"); }

  template <int kTile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void load(const void* from, std::int64_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(kTile), "r"(from), "r"(stride) : "memory");
  }
  template <int kTile>
  static void store(void* to, std::int64_t stride) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(kTile), "r"(to), "r"(stride) : "memory");
  }
  template <int kSums, int kLeft, int kRight>
  static void multiply_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kLeft), "i"(kRight));
  }
  template <int kSums, int kLeft, int kRight>
  static void multiply_bytes() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kLeft), "i"(kRight));
  }
};

using BestTileUnit = TileUnit;

#else

using BestTileUnit = PlainTileUnit;

#endif

}  // namespace sgpt::cpu
