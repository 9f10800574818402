// Weights as 8-bit integers: against values worked out by hand, and the bound on the error.
#include "tensor/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace sgpt {
namespace {

struct Quantized {
  std::vector<std::int8_t> values;
  std::vector<float> scales;
};

Quantized quantized(ConstMatrix weight) {
  const std::int64_t blocks = quantization_blocks(weight.cols);
  Quantized result{std::vector<std::int8_t>(static_cast<std::size_t>(weight.size())),
                   std::vector<float>(static_cast<std::size_t>(weight.rows * blocks))};
  quantize_rows(weight, Matrix(result.values.data(), weight.rows, weight.cols, DType::i8),
                Matrix(result.scales.data(), weight.rows, blocks));
  return result;
}

std::vector<float> random_weights(std::size_t count) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> weights(count);
  for (float& weight : weights) weight = normal(random);
  return weights;
}

TEST(Quantize, NearestIntegersTiesToEven) {
  // The largest is 127, so the scale is 1.
  const std::vector<float> weight{127, -127, 0.5f, 1.5f, 2.5f, -2.5f, 126.49f, 0};
  const Quantized found = quantized({weight.data(), 1, 8});
  EXPECT_EQ(found.values, (std::vector<std::int8_t>{127, -127, 0, 2, 2, -2, 126, 0}));
  EXPECT_EQ(found.scales, std::vector<float>{1});
}

TEST(Quantize, EveryBlockOfEveryRowHasItsScale) {
  std::vector<float> weight(2 * 300, 1.0f);  // two rows of a block of 256 and one of 44
  weight[10] = 254;
  weight[300 + 299] = -12.7f;
  const Quantized found = quantized({weight.data(), 2, 300});
  ASSERT_EQ(found.scales.size(), 4u);
  EXPECT_FLOAT_EQ(found.scales[0], 2);
  EXPECT_FLOAT_EQ(found.scales[1], 1 / 127.0f);
  EXPECT_FLOAT_EQ(found.scales[2], 1 / 127.0f);
  EXPECT_FLOAT_EQ(found.scales[3], 0.1f);
  EXPECT_EQ(found.values[10], 127);
  EXPECT_EQ(found.values[0], 0);  // a half, to even
  EXPECT_EQ(found.values[256], 127);
  EXPECT_EQ(found.values[300], 127);
  EXPECT_EQ(found.values[300 + 256], 10);
  EXPECT_EQ(found.values[300 + 299], -127);
}

TEST(Quantize, ZerosAndTheSmallestNumbersAreZero) {
  const std::vector<float> weight{0, -0.0f, 0x1p-149f, -0x1p-147f};
  const Quantized found = quantized({weight.data(), 1, 4});
  EXPECT_EQ(found.scales, std::vector<float>{0});
  EXPECT_EQ(found.values, std::vector<std::int8_t>(4));
}

TEST(Quantize, ASubnormalScaleStaysInRange) {
  const std::vector<float> weight{0x1.8p-142f, -0x1.8p-142f, 0x1p-149f};
  for (const std::int8_t value : quantized({weight.data(), 1, 3}).values) EXPECT_GE(value, -127);
}

TEST(Quantize, BackAgainTheErrorIsHalfAStep) {
  const std::vector<float> weight = random_weights(7 * 1000);
  const Quantized found = quantized({weight.data(), 7, 1000});
  std::vector<float> back(weight.size());
  dequantize_rows(ConstMatrix(found.values.data(), 7, 1000, DType::i8), ConstMatrix(found.scales.data(), 7, 4),
                  Matrix(back.data(), 7, 1000));
  for (std::size_t i = 0; i < weight.size(); ++i) {
    const float scale = found.scales[i / 1000 * 4 + i % 1000 / 256];
    ASSERT_LE(std::abs(back[i] - weight[i]), 0.50001f * scale) << i;
  }
}

TEST(Quantize, PiecesAreAsTheWhole) {
  const std::vector<float> weight = random_weights(5 * 300);
  const Quantized whole = quantized({weight.data(), 5, 300});
  const Quantized piece = quantized({weight.data() + 2 * 300, 2, 300});
  EXPECT_TRUE(std::equal(piece.values.begin(), piece.values.end(), whole.values.begin() + 2 * 300));
  EXPECT_TRUE(std::equal(piece.scales.begin(), piece.scales.end(), whole.scales.begin() + 2 * 2));
}

TEST(Quantize, HalvesAreReadAsWhatTheyAre) {
  const std::vector<std::uint16_t> bf16{0x4000, 0xbf80, 0x3f80};  // 2, -1, 1
  const std::vector<std::uint16_t> f16{0x4000, 0xbc00, 0x3c00};
  const std::vector<float> f32{2, -1, 1};
  const Quantized expected = quantized({f32.data(), 1, 3});
  const Quantized from_bf16 = quantized({bf16.data(), 1, 3, DType::bf16});
  const Quantized from_f16 = quantized({f16.data(), 1, 3, DType::f16});
  EXPECT_EQ(from_bf16.values, expected.values);
  EXPECT_EQ(from_bf16.scales, expected.scales);
  EXPECT_EQ(from_f16.values, expected.values);
  EXPECT_EQ(from_f16.scales, expected.scales);
}

}  // namespace
}  // namespace sgpt
