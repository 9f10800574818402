// Element types and views.
#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "tensor/matrix.h"
#include "tensor/token_batch.h"

namespace sgpt {
namespace {

TEST(DType, F16IsSignExponentMantissa) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const int sign = bits & 0x8000 ? -1 : 1, exponent = bits >> 10 & 31, mantissa = static_cast<int>(bits & 1023);
    const float found = float_from_f16(static_cast<std::uint16_t>(bits));
    ASSERT_EQ(std::signbit(found), sign < 0) << bits;
    if (exponent == 31) {
      ASSERT_TRUE(mantissa == 0 ? std::isinf(found) : std::isnan(found)) << bits;
    } else if (exponent == 0) {
      ASSERT_EQ(found, static_cast<float>(sign) * std::ldexp(static_cast<float>(mantissa), -24)) << bits;
    } else {
      ASSERT_EQ(found, static_cast<float>(sign) * std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25))
          << bits;
    }
  }
}

TEST(DType, Bf16IsTheUpperHalfOfAFloat) {
  EXPECT_EQ(float_from_bf16(0x3f80), 1.0f);
  EXPECT_EQ(float_from_bf16(0xc049), -3.140625f);
  EXPECT_EQ(float_from_bf16(0x0001), std::ldexp(1.0f, -133));
  EXPECT_TRUE(std::isinf(float_from_bf16(0x7f80)));
  EXPECT_TRUE(std::isnan(float_from_bf16(0x7fc0)));
}

TEST(DType, HalvesRoundBackToThemselves) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (!std::isnan(float_from_f16(half))) {
      ASSERT_EQ(f16_from_float(float_from_f16(half)), half) << bits;
    } else {
      ASSERT_TRUE(std::isnan(float_from_f16(f16_from_float(float_from_f16(half))))) << bits;
    }
    if (!std::isnan(float_from_bf16(half))) {
      ASSERT_EQ(bf16_from_float(float_from_bf16(half)), half) << bits;
    } else {
      ASSERT_TRUE(std::isnan(float_from_bf16(bf16_from_float(float_from_bf16(half))))) << bits;
    }
  }
}

/// Between two neighbours: just below the middle down, just above it up, the middle itself to the even one.
template <class ToHalf, class ToFloat>
void check_rounding(ToHalf to_half, ToFloat to_float, std::uint16_t last) {
  for (std::uint16_t low = 0; low < last; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    const float middle = static_cast<float>((static_cast<double>(to_float(low)) + to_float(high)) / 2);
    ASSERT_EQ(to_half(std::nextafter(middle, 0.0f)), low) << low;
    ASSERT_EQ(to_half(std::nextafter(middle, INFINITY)), high) << low;
    ASSERT_EQ(to_half(middle), low % 2 == 0 ? low : high) << low;
    ASSERT_EQ(to_half(-middle), 0x8000 | (low % 2 == 0 ? low : high)) << low;
  }
}

TEST(DType, FloatsRoundToTheNearestHalfTiesToEven) {
  check_rounding(f16_from_float, float_from_f16, 0x7bff);
  check_rounding(bf16_from_float, float_from_bf16, 0x7f7f);
  EXPECT_EQ(f16_from_float(65519.996f), 0x7bff);  // 65504, the largest
  EXPECT_EQ(f16_from_float(65520.0f), 0x7c00);
  EXPECT_EQ(f16_from_float(-1e30f), 0xfc00);
  EXPECT_EQ(f16_from_float(INFINITY), 0x7c00);
  EXPECT_EQ(bf16_from_float(3.4028235e38f), 0x7f80);
  EXPECT_EQ(bf16_from_float(-INFINITY), 0xff80);
}

TEST(Matrix, SlicesRowsOfAnyType) {
  std::vector<std::uint16_t> values{0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600};  // 1 … 6 as f16
  const ConstMatrix m(values.data(), 3, 2, DType::f16);
  EXPECT_EQ(m.bytes(), 12u);
  const ConstMatrix tail = m.slice(1, 2);
  EXPECT_EQ(tail.rows, 2);
  EXPECT_EQ(float_at(tail, 0, 0), 3.0f);
  EXPECT_EQ(float_at(tail, 1, 1), 6.0f);
}

TEST(TokenBatch, ViewKnowsTheLongestText) {
  TokenBatch batch;
  EXPECT_EQ(view_of(batch).longest, 0);
  for (const int length : {2, 0, 5, 1}) batch.add(std::vector<std::int32_t>(static_cast<std::size_t>(length), 7));
  const PackedTexts texts = view_of(batch);
  EXPECT_EQ(texts.tokens, 8);
  EXPECT_EQ(texts.texts, 4);
  EXPECT_EQ(texts.longest, 5);
  EXPECT_EQ(texts.offsets[3], 7);
}

}  // namespace
}  // namespace sgpt
