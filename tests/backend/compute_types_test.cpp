// Products in bf16 and in 8-bit integers: near the reference's f32, with the same bits for a row wherever it lies.
#include <fmt/format.h>

#include "backend/reference/reference_backend.h"
#include "base/threads.h"
#include "devices.h"
#include "matrices.h"
#include "tensor/dtype.h"
#include "tensor/quantize.h"

namespace sgpt::testing {
namespace {

struct Case {
  Device device;
  ComputeType type;
  /// Of the largest value of a product of normally distributed numbers.
  double tolerance() const { return type == ComputeType::int8 ? 1.2e-2 : 5e-3; }
};

void PrintTo(const Case& c, std::ostream* out) { *out << name_of(c.type) << " on " << c.device.name; }

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Device& device : devices()) {
    for (const ComputeType type : {ComputeType::bf16, ComputeType::int8}) all.push_back({device, type});
  }
  return all;
}

/// Inner sizes below, at and past the blocks that have a scale; outputs that fill no chunk.
const std::vector<std::pair<std::int64_t, std::int64_t>>& shapes() {  // in, out
  static const std::vector<std::pair<std::int64_t, std::int64_t>> all{
      {16, 48}, {64, 64}, {77, 301}, {256, 1024}, {257, 5}, {320, 130}, {1024, 260}, {1100, 40}, {1, 3}};
  return all;
}

class ComputeTypes : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!backend_->computes(GetParam().type)) GTEST_SKIP() << "this device does not compute in this type";
  }
  std::unique_ptr<PackedWeight> pack(const Owned& weight) {
    return backend_->pack(weight, WeightUse::forward, GetParam().type);
  }
  Owned linear(const Owned& x, const PackedWeight& weight, const Owned& bias, Epilogue epilogue = Epilogue::none) {
    Owned y(x.rows(), weight.out());
    backend_->linear(x, weight, bias, y, epilogue);
    return y;
  }

  Random random_{29};
  InstructionScope instructions_{GetParam().device};
  std::unique_ptr<Backend> backend_ = GetParam().device.make();
  std::unique_ptr<Backend> reference_ = make_reference_backend();
};

TEST_P(ComputeTypes, LinearIsNearTheReference) {
  for (const auto& [in, out] : shapes()) {
    const std::int64_t rows = 70;
    const Owned x = random_.matrix(rows, in), w = random_.matrix(out, in, 0.2f), bias = random_.matrix(1, out);
    const Owned before = random_.matrix(rows, out);
    const auto packed = pack(w), plain = reference_->pack(w, WeightUse::forward);
    for (const Epilogue epilogue : {Epilogue::none, Epilogue::gelu, Epilogue::add}) {
      Owned y = before, expected = before;
      backend_->linear(x, *packed, bias, y, epilogue);
      reference_->linear(x, *plain, bias, expected, epilogue);
      EXPECT_LT(relative_error(y, expected), GetParam().tolerance()) << in << " to " << out;
    }
  }
}

std::vector<std::uint16_t> halves_of(const Owned& m) {
  std::vector<std::uint16_t> halves(static_cast<std::size_t>(m.size()));
  for (std::int64_t i = 0; i < m.size(); ++i) halves[static_cast<std::size_t>(i)] = bf16_from_float(m[i]);
  return halves;
}

/// What would be rounded anyway may come so, and what is only written may go so.
TEST_P(ComputeTypes, InputsMayBeRoundedBefore) {
  if (backend_->input_type(GetParam().type) != DType::bf16) GTEST_SKIP() << "this type rounds nothing to bf16";
  for (const auto& [in, out] : shapes()) {
    for (const std::int64_t rows : {1, 5, 70}) {
      const Owned x = random_.matrix(rows, in), w = random_.matrix(out, in, 0.2f), bias = random_.matrix(1, out);
      const auto packed = pack(w);
      std::vector<std::uint16_t> half_x = halves_of(x), half_y(static_cast<std::size_t>(rows * out));
      for (const Epilogue epilogue : {Epilogue::none, Epilogue::gelu, Epilogue::silu}) {
        const Owned y = linear(x, *packed, bias, epilogue);
        backend_->linear({half_x.data(), rows, in, DType::bf16}, *packed, bias, {half_y.data(), rows, out, DType::bf16},
                         epilogue);
        EXPECT_EQ(half_y, halves_of(y)) << rows << " rows of " << in << " to " << out;
      }
    }
  }
}

/// Tiles multiply rounded numbers; without them floats are as fast.
TEST_P(ComputeTypes, GradientsOfWeightsAreNearTheReference) {
  for (const auto& [in, out] : shapes()) {
    const std::int64_t rows = 70;
    const Owned x = random_.matrix(rows, in), dy = random_.matrix(rows, out);
    Owned dw = random_.matrix(out, in), expected = dw;
    backend_->linear_backward_weight(dy, x, dw, GetParam().type);
    reference_->linear_backward_weight(dy, x, expected);
    EXPECT_LT(relative_error(dw, expected), 5e-3) << in << " to " << out;
  }
}

TEST_P(ComputeTypes, WeightsTakeLessMemory) {
  const Owned w = random_.matrix(1024, 1024);
  const std::size_t floats = backend_->pack(w, WeightUse::forward)->bytes();
  EXPECT_LT(pack(w)->bytes(), floats * (GetParam().type == ComputeType::int8 ? 27u : 51u) / 100u);
}

TEST_P(ComputeTypes, RowsAreIndependentWithAnyThreads) {
  for (const auto& [in, out] : shapes()) {
    const std::int64_t rows = 150;
    const Owned x = random_.matrix(rows, in), bias = random_.matrix(1, out);
    const auto weight = pack(random_.matrix(out, in));
    const Owned all = [&] {
      const ThreadScope one(1);
      return linear(x, *weight, bias, Epilogue::gelu);
    }();
    for (const int threads : {1, 2, 7}) {
      const ThreadScope scope(threads);
      for (const std::int64_t count : {1, 2, 5, 8, 31, 33, 64, 129, 150}) {
        const std::int64_t first = random_.below(static_cast<int>(rows - count + 1));
        ASSERT_TRUE(same_bits(linear(x.slice(first, count), *weight, bias, Epilogue::gelu), all.slice(first, count)))
            << in << " to " << out << ", " << count << " rows from " << first << ", " << threads << " threads";
      }
    }
  }
}

TEST_P(ComputeTypes, NumbersThatAreNotFiniteStaySo) {
  const std::int64_t in = 300, out = 20;
  const auto weight = pack(random_.matrix(out, in));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Owned x = random_.matrix(3, in);
    x.at(1, 7) = bad;
    const Owned y = linear(x, *weight, {});
    for (std::int64_t j = 0; j < out; ++j) {
      EXPECT_TRUE(std::isfinite(y.at(0, j)) && std::isfinite(y.at(2, j)));
      EXPECT_FALSE(std::isfinite(y.at(1, j))) << bad;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, ComputeTypes, ::testing::ValuesIn(cases()), [](const auto& test) {
  return test.param.device.name + "_" + std::string(name_of(test.param.type));
});

class Int8 : public ::testing::TestWithParam<Device> {
 protected:
  Random random_{31};
  InstructionScope instructions_{GetParam()};
  std::unique_ptr<Backend> backend_ = GetParam().make();
};

/// A weight as quantize_rows makes it.
struct Quantized {
  explicit Quantized(const Owned& weight)
      : values(static_cast<std::size_t>(weight.size())), scales(weight.rows(), quantization_blocks(weight.cols())) {
    rows = weight.rows(), cols = weight.cols();
    quantize_rows(weight, {values.data(), rows, cols, DType::i8}, scales);
  }
  ConstMatrix matrix() const { return {values.data(), rows, cols, DType::i8}; }

  std::int64_t rows = 0, cols = 0;
  std::vector<std::int8_t> values;
  Owned scales;
};

TEST_P(Int8, QuantizedWeightsComputeAsThoseQuantizedWhenPacked) {
  for (const auto& [in, out] : shapes()) {
    const Owned w = random_.matrix(out, in), x = random_.matrix(20, in);
    const Quantized quantized(w);
    const auto from_integers =
        backend_->pack(quantized.matrix(), WeightUse::forward, ComputeType::int8, quantized.scales);
    const auto from_floats = backend_->pack(w, WeightUse::forward, ComputeType::int8);
    Owned y1(20, out), y2(20, out);
    backend_->linear(x, *from_integers, {}, y1, Epilogue::none);
    backend_->linear(x, *from_floats, {}, y2, Epilogue::none);
    EXPECT_TRUE(same_bits(y1, y2)) << in << " to " << out;
  }
}

TEST_P(Int8, QuantizedWeightsComputeInFloatsAsWhatTheyStandFor) {
  const std::int64_t in = 300, out = 90, rows = 9;
  const Quantized quantized(random_.matrix(out, in));
  Owned floats(out, in);
  dequantize_rows(quantized.matrix(), quantized.scales, floats);
  const Owned x = random_.matrix(rows, in), dy = random_.matrix(rows, out);
  const auto reference = make_reference_backend();
  for (Backend* backend : {backend_.get(), reference.get()}) {
    const auto from_integers =
        backend->pack(quantized.matrix(), WeightUse::forward_and_backward, ComputeType::f32, quantized.scales);
    const auto from_floats =
        backend->pack(floats, WeightUse::forward_and_backward, ComputeType::f32, {}, WeightSource::lasting);
    Owned y1(rows, out), y2(rows, out), dx1(rows, in), dx2(rows, in);
    backend->linear(x, *from_integers, {}, y1, Epilogue::none);
    backend->linear(x, *from_floats, {}, y2, Epilogue::none);
    EXPECT_TRUE(same_bits(y1, y2));
    backend->linear_backward_input(dy, *from_integers, dx1);
    backend->linear_backward_input(dy, *from_floats, dx2);
    EXPECT_TRUE(same_bits(dx1, dx2));
  }
}

/// BLOOM has channels far larger than the others, which must not drown them.
TEST_P(Int8, OutliersCostNoPrecision) {
  const std::int64_t in = 1024, out = 64, rows = 40;
  Owned x = random_.matrix(rows, in), w = random_.matrix(out, in, 0.2f);
  for (std::int64_t o = 0; o < out; ++o) w.at(o, 700) = 0;  // so that what the outlier costs the others can be seen
  const auto packed = backend_->pack(w, WeightUse::forward, ComputeType::int8);
  const auto reference = make_reference_backend();
  const auto plain = reference->pack(w, WeightUse::forward);
  for (const float outlier : {10.0f, -30.0f, 100.0f, -1000.0f}) {
    for (std::int64_t i = 0; i < rows; i += 2) x.at(i, 700) = outlier;  // of every second row
    Owned y(rows, out), expected(rows, out);
    backend_->linear(x, *packed, {}, y, Epilogue::none);
    reference->linear(x, *plain, {}, expected, Epilogue::none);
    EXPECT_LT(relative_error(y, expected), 1.5e-2) << outlier;
    for (std::int64_t i = 0; i < rows; ++i) {  // a row does not know of its neighbours' second byte
      Owned alone(1, out);
      backend_->linear(x.slice(i, 1), *packed, {}, alone, Epilogue::none);
      EXPECT_TRUE(same_bits(alone, y.slice(i, 1))) << outlier << ", row " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Int8, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace sgpt::testing
