// Products in bf16 in both directions, as training has them: exact products of rounded numbers with sums in f32, read
// out of the matrix where it lies, with the same bits for a row wherever it is.
#include <array>
#include <limits>

#include "backend/reference/reference_backend.h"
#include "base/threads.h"
#include "devices.h"
#include "matrices.h"
#include "tensor/dtype.h"

namespace sgpt::testing {
namespace {

/// In, out and rows: below, at and past the panels and blocks that the kernel cuts them into, odd ones among them.
const std::vector<std::array<std::int64_t, 3>>& shapes() {
  static const std::vector<std::array<std::int64_t, 3>> all{{1, 3, 2},     {16, 48, 7},     {77, 301, 9},
                                                            {128, 64, 13}, {129, 65, 70},   {260, 17, 130},
                                                            {64, 1030, 6}, {1024, 260, 33}, {300, 192, 200}};
  return all;
}

Owned rounded(const Owned& m) {
  Owned result = m;
  for (std::int64_t i = 0; i < m.size(); ++i) result[i] = float_from_bf16(bf16_from_float(m[i]));
  return result;
}

class Bf16Training : public ::testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    if (!backend_->computes(ComputeType::bf16)) GTEST_SKIP() << "this processor has no bf16 instructions";
  }
  std::unique_ptr<PackedWeight> pack(ConstMatrix weight) {
    return backend_->pack(weight, WeightUse::forward_and_backward, ComputeType::bf16, {}, WeightSource::lasting);
  }
  static Owned forward(Backend& backend, const Owned& x, const PackedWeight& weight) {
    Owned y(x.rows(), weight.out());
    backend.linear(x, weight, {}, y, Epilogue::none);
    return y;
  }
  static Owned backward(Backend& backend, const Owned& dy, const PackedWeight& weight) {
    Owned dx(dy.rows(), weight.in());
    backend.linear_backward_input(dy, weight, dx);
    return dx;
  }

  Random random_{41};
  InstructionScope instructions_{GetParam()};
  std::unique_ptr<Backend> backend_ = GetParam().make();
  std::unique_ptr<Backend> reference_ = make_reference_backend();
};

TEST_P(Bf16Training, MultipliesRoundedNumbersExactly) {
  for (const auto& [in, out, rows] : shapes()) {
    const Owned x = random_.matrix(rows, in), dy = random_.matrix(rows, out), w = random_.matrix(out, in, 0.2f);
    const Owned rounded_w = rounded(w);
    const auto weight = pack(w), plain = reference_->pack(rounded_w, WeightUse::forward_and_backward);
    EXPECT_LT(relative_error(forward(*backend_, x, *weight), forward(*reference_, rounded(x), *plain)), 2e-6)
        << in << " to " << out;
    EXPECT_LT(relative_error(backward(*backend_, dy, *weight), backward(*reference_, rounded(dy), *plain)), 2e-6)
        << in << " to " << out;
  }
}

TEST_P(Bf16Training, WeightsOfAnyTypeComputeAsTheirFloats) {
  for (const auto& [in, out, rows] : shapes()) {
    const Owned x = random_.matrix(rows, in), dy = random_.matrix(rows, out), w = random_.matrix(out, in);
    for (const DType type : {DType::f16, DType::bf16}) {
      std::vector<std::uint16_t> halves(static_cast<std::size_t>(w.size()));
      Owned floats(out, in);
      for (std::int64_t i = 0; i < w.size(); ++i) {
        // Of f16 eleven bits are rounded to eight on the way.
        const auto half = static_cast<std::uint16_t>(
            type == DType::bf16 ? bf16_from_float(w[i])
                                : random_.below(2) << 15 | (12 + random_.below(5)) << 10 | random_.below(1024));
        halves[static_cast<std::size_t>(i)] = half;
        floats[i] = type == DType::bf16 ? float_from_bf16(half) : float_from_f16(half);
      }
      const auto from_halves = pack({halves.data(), out, in, type}), from_floats = pack(floats);
      EXPECT_TRUE(same_bits(forward(*backend_, x, *from_halves), forward(*backend_, x, *from_floats)));
      EXPECT_TRUE(same_bits(backward(*backend_, dy, *from_halves), backward(*backend_, dy, *from_floats)));
    }
  }
}

TEST_P(Bf16Training, RowsAreIndependentWithAnyThreads) {
  for (const auto& [in, out, rows] : shapes()) {
    const Owned x = random_.matrix(rows, in), dy = random_.matrix(rows, out), w = random_.matrix(out, in);
    const auto weight = pack(w);
    const auto both = [&](std::int64_t first, std::int64_t count, int threads) {
      const ThreadScope scope(threads);
      return std::pair{forward(*backend_, x.slice(first, count), *weight),
                       backward(*backend_, dy.slice(first, count), *weight)};
    };
    const auto [y, dx] = both(0, rows, 1);
    for (const int threads : {1, 2, 7}) {
      for (const std::int64_t most : {1, 2, 5, 6, 31, 129, 200}) {
        const std::int64_t count = std::min(most, rows);
        const std::int64_t first = random_.below(static_cast<int>(rows - count + 1));
        const auto [some_y, some_dx] = both(first, count, threads);
        ASSERT_TRUE(same_bits(some_y, y.slice(first, count)))
            << in << " to " << out << ", " << count << " rows from " << first << ", " << threads << " threads";
        ASSERT_TRUE(same_bits(some_dx, dx.slice(first, count)))
            << in << " to " << out << ", " << count << " rows from " << first << ", " << threads << " threads";
      }
    }
  }
}

TEST_P(Bf16Training, ChangedValuesAreComputedWithAtOnce) {
  const std::int64_t in = 200, out = 70;
  Owned values = random_.matrix(out, in);
  const Owned x = random_.matrix(5, in), changed = random_.matrix(out, in);
  const auto weight = backend_->pack_trained(values, WeightUse::forward_and_backward, ComputeType::bf16);
  EXPECT_TRUE(weight->reads_source());
  EXPECT_EQ(weight->bytes(), 0u);
  values = changed;
  backend_->repack(*weight);
  EXPECT_TRUE(same_bits(forward(*backend_, x, *weight), forward(*backend_, x, *pack(changed))));
}

TEST_P(Bf16Training, NumbersThatAreNotFiniteStayInTheirRow) {
  const std::int64_t in = 300, out = 77;  // both have a rest that is filled up with zeros
  const Owned w = random_.matrix(out, in);
  const auto weight = pack(w);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Owned x = random_.matrix(3, in), dy = random_.matrix(3, out);
    x.at(1, in - 1) = dy.at(1, out - 1) = bad;
    for (const Owned& result : {forward(*backend_, x, *weight), backward(*backend_, dy, *weight)}) {
      for (std::int64_t j = 0; j < result.cols(); ++j) {
        EXPECT_TRUE(std::isfinite(result.at(0, j)) && std::isfinite(result.at(2, j)));
        EXPECT_FALSE(std::isfinite(result.at(1, j))) << bad;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Bf16Training, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace sgpt::testing
