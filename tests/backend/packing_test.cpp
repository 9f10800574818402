// Weights and embeddings in the types of checkpoints: converted exactly, and packed to the same bits as their f32
// values.
#include <bit>

#include "backend/reference/reference_backend.h"
#include "devices.h"
#include "matrices.h"

namespace sgpt::testing {
namespace {

class Packing : public ::testing::TestWithParam<Device> {
 protected:
  InstructionScope instructions_{GetParam()};
  std::unique_ptr<Backend> backend_ = GetParam().make();
  Arena arena_{host_memory()};
  Random random_{5};
};

/// All 65,536 bit patterns as an embedding table of 256 rows.
TEST_P(Packing, EveryHalfConvertsExactly) {
  std::vector<std::uint16_t> table(65536);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::uint16_t>(i);
  TokenBatch batch;
  for (std::int32_t row = 0; row < 256; ++row) batch.add(std::vector<std::int32_t>{row});
  const PackedTexts texts = backend_->place(batch, arena_);
  for (const DType type : {DType::f16, DType::bf16}) {
    Owned x(256, 256);
    backend_->embed(texts, ConstMatrix(table.data(), 256, 256, type), x);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const auto bits = static_cast<std::uint16_t>(i);
      const float expected = type == DType::f16 ? float_from_f16(bits) : float_from_bf16(bits);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(x[i])) << bits;
      } else {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(x[i]), std::bit_cast<std::uint32_t>(expected)) << bits;
      }
    }
  }
}

TEST_P(Packing, HalfWeightsComputeAsTheirFloats) {
  const std::int64_t in = 77, out = 301, rows = 9;
  const Owned x = random_.matrix(rows, in), dy = random_.matrix(rows, out);
  for (const DType type : {DType::f16, DType::bf16}) {
    std::vector<std::uint16_t> half(static_cast<std::size_t>(out * in));
    Owned full(out, in);
    for (std::int64_t i = 0; i < full.size(); ++i) {
      // Ordinary numbers of either sign: an exponent near the middle, any mantissa.
      const int sign = random_.below(2) << 15, bits = random_.below(1024);
      const int half_bits = type == DType::f16 ? sign | (13 << 10) | bits : sign | 0x3e00 | (bits & 0xff);
      half[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(half_bits);
      full[i] = type == DType::f16 ? float_from_f16(half[static_cast<std::size_t>(i)])
                                   : float_from_bf16(half[static_cast<std::size_t>(i)]);
    }
    const auto from_half = backend_->pack({half.data(), out, in, type}, WeightUse::forward_and_backward);
    const auto from_full = backend_->pack(full, WeightUse::forward_and_backward);
    Owned y1(rows, out), y2(rows, out), dx1(rows, in), dx2(rows, in);
    backend_->linear(x, *from_half, {}, y1, Epilogue::none);
    backend_->linear(x, *from_full, {}, y2, Epilogue::none);
    EXPECT_TRUE(same_bits(y1, y2));
    backend_->linear_backward_input(dy, *from_half, dx1);
    backend_->linear_backward_input(dy, *from_full, dx2);
    EXPECT_TRUE(same_bits(dx1, dx2));
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Packing, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param.name; });

TEST(Backends, AreFoundByName) {
  for (const auto name : backend_names()) EXPECT_EQ(make_backend(name)->name(), name);
}

}  // namespace
}  // namespace sgpt::testing
