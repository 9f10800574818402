// Kernels of bf16, tile by tile: what AMX computes is what plain tiles compute, bit for bit, and those run on every
// processor; each row is computed alike wherever it lies.
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/cpu/tile_unit.h"
#include "backend/reference/reference_backend.h"
#include "base/threads.h"
#include "kernel_product.h"
#include "tensor/dtype.h"

namespace sgpt::testing {
namespace {

struct NamedKernel {
  std::string name;
  std::unique_ptr<cpu::TileKernel> kernel;
};

/// Those that this processor has.
std::vector<NamedKernel> kernels() {
  std::vector<NamedKernel> all;
  all.push_back({"plain tiles", cpu::make_plain_amx_bf16_tiles()});
  if (auto tiles = cpu::make_amx_bf16_tiles()) all.push_back({"AMX", std::move(tiles)});
  if (auto own = cpu::make_bf16_tiles()) all.push_back({"AVX-512", std::move(own)});
  return all;
}

Owned rounded(const Owned& m) {
  Owned result = m;
  for (std::int64_t i = 0; i < m.size(); ++i) result[i] = float_from_bf16(bf16_from_float(m[i]));
  return result;
}

class Bf16Kernels : public ::testing::Test {
 protected:
  Random random_{43};
  const std::vector<NamedKernel> kernels_ = kernels();
};

TEST_F(Bf16Kernels, MultiplyRoundedNumbersExactly) {
  for (const auto& [in, out, rows] : std::vector<std::array<std::int64_t, 3>>{
           {1, 3, 2}, {16, 48, 17}, {77, 130, 33}, {129, 65, 70}, {64, 16, 16}, {4100, 20, 3}}) {
    const Owned x = random_.matrix(rows, in), w = random_.matrix(out, in);
    Owned exact(rows, out);
    make_reference_backend()->matmul(rounded(x), false, rounded(w), true, 1, exact);
    for (const auto& [name, kernel] : kernels_) {
      EXPECT_LT(relative_error(KernelProduct(*kernel, w)(x), exact), 2e-6) << name << ", " << in << " to " << out;
    }
  }
}

TEST_F(Bf16Kernels, RowsAreIndependentWithAnyThreads) {
  const std::int64_t in = 100, out = 90, rows = 70;
  const Owned x = random_.matrix(rows, in), w = random_.matrix(out, in);
  for (const auto& [name, kernel] : kernels_) {
    KernelProduct product(*kernel, w);
    const Owned all = product(x);
    for (const int threads : {1, 2, 7}) {
      const ThreadScope scope(threads);
      for (const std::int64_t count : {1, 2, 5, 15, 16, 17, 31, 33, 64, 70}) {
        const std::int64_t first = random_.below(static_cast<int>(rows - count + 1));
        EXPECT_TRUE(same_bits(product(x.slice(first, count)), all.slice(first, count)))
            << name << ", " << count << " rows from " << first << ", " << threads << " threads";
      }
    }
  }
}

/// Of numbers of every size, down to denormals and up to infinity.
TEST_F(Bf16Kernels, TilesOfTheProcessorComputeAsPlainOnes) {
  const auto unit = cpu::make_amx_bf16_tiles();
  if (!unit) GTEST_SKIP() << "this processor has no AMX";
  const auto plain = cpu::make_plain_amx_bf16_tiles();
  for (const auto& [in, out, rows] :
       std::vector<std::array<std::int64_t, 3>>{{64, 64, 64}, {77, 130, 33}, {300, 40, 5}, {4200, 16, 1}}) {
    for (const float size : {1.0F, 1e-19F, 1e-22F, 1e18F, 1e20F}) {
      Owned x = random_.matrix(rows, in, size);
      const Owned w = random_.matrix(out, in, size);
      x.at(0, in / 2) = std::numeric_limits<float>::quiet_NaN();
      const Owned found = KernelProduct(*unit, w)(x), expected = KernelProduct(*plain, w)(x);
      for (std::int64_t i = 0; i < found.size(); ++i) {
        const bool equal = std::isnan(expected[i])
                               ? std::isnan(found[i])
                               : std::bit_cast<std::uint32_t>(found[i]) == std::bit_cast<std::uint32_t>(expected[i]);
        ASSERT_TRUE(equal) << in << " to " << out << ", numbers of " << size << ": " << found[i] << ", not "
                           << expected[i];
      }
      for (std::int64_t j = 0; j < out; ++j) EXPECT_TRUE(std::isnan(found.at(0, j)));
    }
  }
}

}  // namespace
}  // namespace sgpt::testing
