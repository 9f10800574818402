// Products of bytes for every processor: bytes become 16-bit integers in registers, and one instruction multiplies two
// neighbours in k and adds them (vpmaddwd, smlal), twice as many products as one of f32 has. The sums of a block never
// leave the registers: what they stand for goes straight into the tile.
#include "backend/cpu/simd.h"

#include "backend/cpu/int8_product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/int8_product_simd.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cstring>

#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sgpt::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR  // without vectors there are no pairs either

std::int64_t int8_panel_width() { return 1; }

void multiply_int8(const Int8Rows& rows, const Int8Columns& columns, bool accumulate, float* tile,
                   std::int64_t stride) {
  const std::int64_t inner = columns.inner;
  for (std::int64_t row = 0; row < rows.count; ++row) {
    const auto* left = static_cast<const std::int16_t*>(rows.values) + row * inner;
    for (std::int64_t j = 0; j < columns.cols; ++j) {
      const auto* right = static_cast<const std::int8_t*>(columns.packed) + j * inner;
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < inner; ++k) sum += left[k] * right[k];
      const float before = accumulate ? tile[row * stride + j] : 0.0f;
      const float offset = rows.ranges[row].lowest * columns.sums[j] + before;
      tile[row * stride + j] = static_cast<float>(sum) * (rows.ranges[row].step * columns.scales[j]) + offset;
    }
  }
}

#else

using Sums = hn::RebindToSigned<F>;
using Pairs = hn::Repartition<std::int16_t, Sums>;  // two neighbours in k of each lane of Sums
using PairsOfBytes = hn::Rebind<std::int8_t, Pairs>;

// Six rows of two vectors' sums fill most of 16 registers; of 32 where a pair's products are one sum, with four.
constexpr int kInt8Rows = 6;
#if HWY_TARGET <= HWY_AVX3
constexpr int kInt8Vectors = 4;
#else
constexpr int kInt8Vectors = 2;
#endif

std::int64_t int8_panel_width() { return kInt8Vectors * lanes(); }

// A lane's sum of products; two where an instruction gives two.
#if HWY_TARGET == HWY_AVX2
// Of __m256i, GCC 12 moves every sum to and fro in the innermost loop.
using Sum [[gnu::vector_size(32)]] = std::int32_t;
HWY_INLINE Sum no_sum() { return Sum{}; }
HWY_INLINE void add_products(hn::Vec<Pairs> a, hn::Vec<Pairs> b, Sum& sum, Sum& /*second*/) {
  sum += Sum(_mm256_madd_epi16(a.raw, b.raw));
}
HWY_INLINE hn::Vec<Sums> whole_sum(Sum sum, Sum /*second*/) { return hn::Vec<Sums>{__m256i(sum)}; }
#else
using Sum = hn::Vec<Sums>;
HWY_INLINE Sum no_sum() { return hn::Zero(Sums()); }
HWY_INLINE void add_products(hn::Vec<Pairs> a, hn::Vec<Pairs> b, Sum& sum, Sum& second) {
  sum = hn::ReorderWidenMulAccumulate(Sums(), a, b, sum, second);
}
HWY_INLINE hn::Vec<Sums> whole_sum(Sum sum, Sum second) { return hn::RearrangeToOddPlusEven(sum, second); }
#endif

struct Int8Block {
  const std::int16_t* left;  // rows, `inner` apart
  const RowRange* ranges;
  const std::int8_t* panel;  // [inner / 2][kInt8Vectors · lanes][2]
  const float* scales;
  const float* column_sums;
  std::int64_t inner;
  float* tile;
  std::int64_t stride;
  bool accumulate;
};

template <int kRows, int kVectors>
HWY_INLINE void int8_micro_kernel(const Int8Block& block) {
  const Sums s32;
  const Pairs s16;
  const PairsOfBytes s8;
  Sum sums[kRows][kVectors], second[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[r][v] = second[r][v] = no_sum();
  }
  const std::int8_t* panel = block.panel;
  const std::int64_t vector = 2 * lanes();
  for (std::int64_t k = 0; k < block.inner; k += 2, panel += kInt8Vectors * vector) {
    hn::Vec<Pairs> right[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) right[v] = hn::PromoteTo(s16, hn::LoadU(s8, panel + v * vector));
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      std::int32_t pair;
      std::memcpy(&pair, block.left + r * block.inner + k, sizeof pair);
      const auto left = hn::BitCast(s16, hn::Set(s32, pair));
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        add_products(left, right[v], sums[r][v], second[r][v]);
      }
    }
  }
  // As add_quantized does it: step · scale · Σqw + (lowest · scale · Σw + what was there).
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    const Floats scale = hn::LoadU(F(), block.scales + v * lanes());
    const Floats column_sum = hn::LoadU(F(), block.column_sums + v * lanes());
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      float* to = block.tile + r * block.stride + v * lanes();
      const Floats before = block.accumulate ? hn::LoadU(F(), to) : hn::Zero(F());
      const Floats offset = hn::MulAdd(broadcast(block.ranges[r].lowest), column_sum, before);
      const Floats step = hn::Mul(broadcast(block.ranges[r].step), scale);
      const Floats exact = hn::ConvertTo(F(), whole_sum(sums[r][v], second[r][v]));
      hn::StoreU(hn::MulAdd(exact, step, offset), F(), to);
    }
  }
}

template <int kVectors>
HWY_INLINE void int8_rows(std::int64_t rows, const Int8Block& block) {
  switch (rows) {
    case 1: return int8_micro_kernel<1, kVectors>(block);
    case 2: return int8_micro_kernel<2, kVectors>(block);
    case 3: return int8_micro_kernel<3, kVectors>(block);
    case 4: return int8_micro_kernel<4, kVectors>(block);
    case 5: return int8_micro_kernel<5, kVectors>(block);
    default: return int8_micro_kernel<6, kVectors>(block);
  }
}

HWY_NOINLINE void int8_panel_times_rows(std::int64_t rows, std::int64_t cols, const Int8Block& block) {
  const std::int64_t vectors = (cols + lanes() - 1) / lanes();
  if constexpr (kInt8Vectors == 4) {
    if (vectors >= 4) return int8_rows<4>(rows, block);
    if (vectors == 3) return int8_rows<3>(rows, block);
  }
  if (vectors >= 2) return int8_rows<2>(rows, block);
  return int8_rows<1>(rows, block);
}

void multiply_int8(const Int8Rows& rows, const Int8Columns& columns, bool accumulate, float* tile,
                   std::int64_t stride) {
  const auto* values = static_cast<const std::int16_t*>(rows.values);
  const auto* packed = static_cast<const std::int8_t*>(columns.packed);
  for (std::int64_t j = 0; j < columns.cols; j += int8_panel_width()) {
    for (std::int64_t row = 0; row < rows.count; row += kInt8Rows) {
      int8_panel_times_rows(
          HWY_MIN(kInt8Rows, rows.count - row), columns.cols - j,
          {values + row * columns.inner, rows.ranges + row, packed + j * columns.inner, columns.scales + j,
           columns.sums + j, columns.inner, tile + row * stride + j, stride, accumulate});
    }
  }
}

#endif

}  // namespace sgpt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {

HWY_EXPORT(int8_panel_width);
HWY_EXPORT(multiply_int8);

namespace {

class SimdInt8Product final : public Int8Product {
 public:
  std::int64_t stride(std::int64_t cols) const override { return (cols + width_ - 1) / width_ * width_; }

  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return static_cast<std::size_t>(inner * stride(cols));
  }
  void pack(const std::int8_t* columns, std::int64_t inner, std::int64_t cols, void* packed,
            Workspace&) const override {
    constexpr std::size_t kPair = 2;
    auto* panel = static_cast<std::int8_t*>(packed);
    for (std::int64_t j = 0; j < cols; j += width_, panel += width_ * inner) {
      const std::int64_t present = std::min(width_, cols - j);
      for (std::int64_t k = 0; k < inner; k += kPair) {
        std::int8_t* to = panel + k * width_;
        for (std::int64_t i = 0; i < present; ++i) {
          std::memcpy(to + kPair * static_cast<std::size_t>(i), columns + (j + i) * inner + k, kPair);
        }
        std::fill(to + kPair * static_cast<std::size_t>(present), to + kPair * static_cast<std::size_t>(width_),
                  std::int8_t{0});
      }
    }
  }

  std::size_t left_value_bytes() const override { return sizeof(std::int16_t); }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void* fine,
                   RowRange& range) const override {
    quantize_row(row, count, inner, static_cast<std::int16_t*>(values), static_cast<std::int16_t*>(fine), range);
  }

  void multiply(const Int8Rows& rows, const Int8Columns& columns, bool accumulate, float* tile,
                Workspace&) const override {
    HWY_DYNAMIC_DISPATCH(multiply_int8)(rows, columns, accumulate, tile, stride(columns.cols));
  }

 private:
  std::int64_t width_ = HWY_DYNAMIC_DISPATCH(int8_panel_width)();
};

}  // namespace

std::unique_ptr<Int8Product> make_simd_int8_product() { return std::make_unique<SimdInt8Product>(); }

}  // namespace sgpt::cpu
#endif
