// Every kernel of int8 gives the same bits, so that what a model computes does not depend on the processor:
// those for AVX-512's instructions and for tiles, and the one for every processor.
#include <limits>
#include <numeric>
#include <vector>

#include "backend/cpu/product.h"
#include "backend/cpu/vector_ops.h"
#include "base/threads.h"
#include "devices.h"
#include "kernel_product.h"
#include "matrices.h"

namespace sgpt::testing {
namespace {

using cpu::Products;
using cpu::TileKernel;

struct NamedKernel {
  std::string name;
  std::unique_ptr<TileKernel> kernel;
};

/// Those that this processor has, for every shape that is asked for.
std::vector<NamedKernel> kernels() {
  std::vector<NamedKernel> all;
  all.push_back({"for every processor", cpu::make_simd_int8_tiles()});
  all.push_back({"plain tiles", cpu::make_plain_amx_int8_tiles()});
  if (auto tiles = cpu::make_amx_int8_tiles()) all.push_back({"AMX", std::move(tiles)});
  if (auto own = cpu::make_vnni_int8_tiles()) all.push_back({"AVX-512", std::move(own)});
  return all;
}

/// What they all compute, in plain integers block by block: x · wᵀ.
Owned expected_product(ConstMatrix x, ConstMatrix w) {
  const std::int64_t in = x.cols, block = kQuantizationBlock;
  const std::int64_t wide = (w.rows + 15) / 16 * 16;
  std::vector<float> y(static_cast<std::size_t>(x.rows * wide));
  const auto row_of = [](ConstMatrix m, std::int64_t row, std::int64_t k) { return m.f32_row(row) + k; };
  for (std::int64_t k = 0; k < in; k += block) {
    const std::int64_t count = std::min(block, in - k), inner = (count + 63) / 64 * 64;
    std::vector<std::uint8_t> values(static_cast<std::size_t>(inner)), fine(values.size());
    std::vector<std::int8_t> weights(static_cast<std::size_t>(w.rows * count));
    std::vector<float> scales, sums;
    for (std::int64_t j = 0; j < w.rows; ++j) {
      std::int8_t* column = weights.data() + j * count;
      scales.push_back(cpu::quantize_weights(row_of(w, j, k), DType::f32, count, column));
      sums.push_back(scales.back() * static_cast<float>(std::accumulate(column, column + count, 0)));
    }
    scales.resize(static_cast<std::size_t>(wide)), sums.resize(static_cast<std::size_t>(wide));
    for (std::int64_t row = 0; row < x.rows; ++row) {
      cpu::RowRange range;
      cpu::quantize_row(row_of(x, row, k), count, inner, values.data(), fine.data(), range);
      const auto add = [&](const std::vector<std::uint8_t>& integers, const cpu::RowRange& of, bool accumulate) {
        std::vector<std::int32_t> exact(static_cast<std::size_t>(wide));
        for (std::int64_t j = 0; j < w.rows; ++j) {
          const std::int8_t* column = weights.data() + j * count;
          exact[static_cast<std::size_t>(j)] = std::inner_product(column, column + count, integers.begin(), 0);
        }
        cpu::add_quantized({exact.data(), wide, &of, scales.data(), sums.data()}, 1, wide, accumulate,
                           y.data() + row * wide, wide);
      };
      add(values, range, k > 0);
      if (range.fine_step != 0) add(fine, {.step = range.fine_step}, true);
    }
  }
  Owned product(x.rows, w.rows);
  for (std::int64_t row = 0; row < x.rows; ++row) {
    std::copy_n(y.data() + row * wide, w.rows, &product.at(row, 0));
  }
  return product;
}

/// Random numbers, of which some rows have an outlier in one block or in several, so that they have fine values there.
Owned with_outliers(Random& random, std::int64_t rows, std::int64_t in) {
  Owned x = random.matrix(rows, in);
  for (std::int64_t row = 0; row < rows; ++row) {
    if (row % 3 == 0) x.at(row, random.below(static_cast<int>(in))) = 200;
    if (row >= rows / 2) x.at(row, in / 2) = -300;  // of neighbours, as channels of BLOOM have them
  }
  return x;
}

class Int8Kernels : public ::testing::Test {
 protected:
  Random random_{37};
  const std::vector<NamedKernel> kernels_ = kernels();
};

TEST_F(Int8Kernels, GiveTheSameBits) {
  // Outputs that fill neither a vector of 16 nor a panel of 64; inputs that fill neither a word of 4 bytes nor a block.
  for (const std::int64_t out : {1, 3, 16, 17, 40, 63, 64, 65, 130, 260, 1024}) {
    for (const std::int64_t in : {1, 5, 64, 77, 255, 256, 257, 511, 1100}) {
      const Owned x = with_outliers(random_, 53, in), w = random_.matrix(out, in);
      const Owned expected = expected_product(x, w);
      for (const auto& [name, kernel] : kernels_) {
        KernelProduct product(*kernel, w);
        EXPECT_TRUE(same_bits(product(x), expected)) << name << ", " << in << " to " << out;
      }
    }
  }
}

/// Bytes that reach the largest sums; weights without any scale; rows of one number; numbers that are not finite.
TEST_F(Int8Kernels, GiveTheSameBitsAtTheEdges) {
  const std::int64_t in = 512, out = 70, rows = 13;
  Owned x = random_.matrix(rows, in), w = random_.matrix(out, in);
  for (std::int64_t k = 0; k < in; ++k) {
    w.at(0, k) = 1, w.at(1, k) = -1, w.at(2, k) = 0, w.at(3, k) = 1e-44f;
    x.at(0, k) = k == 9 ? 0.0f : 2.0f, x.at(1, k) = 0, x.at(2, k) = -3, x.at(3, k) = 1e-42f;
  }
  x.at(4, 300) = std::numeric_limits<float>::quiet_NaN();
  x.at(5, 300) = std::numeric_limits<float>::infinity();
  const Owned expected = expected_product(x, w);
  for (const auto& [name, kernel] : kernels_) {
    KernelProduct product(*kernel, w);
    const Owned found = product(x);
    for (std::int64_t row = 0; row < rows; ++row) {
      if (row == 4 || row == 5) {
        for (std::int64_t j = 0; j < out; ++j) EXPECT_TRUE(std::isnan(found.at(row, j))) << name << ", row " << row;
      } else {
        EXPECT_TRUE(same_bits(found.slice(row, 1), expected.slice(row, 1))) << name << ", row " << row;
      }
    }
  }
}

/// Whichever rows lie beside it with fine values or without, and whoever computes it.
TEST_F(Int8Kernels, RowsAreIndependentWithAnyThreads) {
  const std::int64_t in = 600, out = 150, rows = 140;
  const Owned x = with_outliers(random_, rows, in), w = random_.matrix(out, in);
  for (const auto& [name, kernel] : kernels_) {
    KernelProduct product(*kernel, w);
    const Owned all = [&] {
      const ThreadScope one(1);
      return product(x);
    }();
    for (const int threads : {1, 2, 7}) {
      const ThreadScope scope(threads);
      for (const std::int64_t count : {1, 2, 5, 6, 7, 31, 70, 129, 140}) {
        const std::int64_t first = random_.below(static_cast<int>(rows - count + 1));
        EXPECT_TRUE(same_bits(product(x.slice(first, count)), all.slice(first, count)))
            << name << ", " << count << " rows from " << first << ", " << threads << " threads";
      }
    }
  }
}

TEST_F(Int8Kernels, OneWithInstructionsIsChosenWhereThereIsOne) {
  cpu::WorkspacePool workspaces;
  const Products products(Products::Kernel::best, workspaces);
  const bool special = cpu::processor().amx_int8 || cpu::processor().vnni;
  EXPECT_EQ(products.kernel(ComputeType::int8).name() != kernels_.front().kernel->name(), special);
}

}  // namespace
}  // namespace sgpt::testing
