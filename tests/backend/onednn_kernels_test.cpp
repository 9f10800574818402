// oneDNN's kernels, whether the cpu backend would choose them on this machine or not (it does with AMX): one for every
// number of rows, with a row's bits wherever it lies.
#include <vector>

#include "backend/cpu/product.h"
#include "backend/reference/reference_backend.h"
#include "base/threads.h"
#include "devices.h"
#include "kernel_product.h"
#include "matrices.h"

namespace sgpt::testing {
namespace {

struct Kernel {
  std::string name;
  std::unique_ptr<cpu::TileKernel> kernel;
  double tolerance;  // of the largest value
};

std::vector<Kernel> kernels() {
  std::vector<Kernel> all;
  all.push_back({"bf16", cpu::make_onednn_bf16_tiles(), 1e-2});
  return all;
}

TEST(OneDnnKernels, MultiplyEachRowAlikeWhateverTheNumberOfRows) {
  Random random(43);
  for (const auto& [name, kernel, tolerance] : kernels()) {
    int served = 0;
    for (const auto& [in, out] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {64, 64}, {1, 16}, {100, 16}, {256, 256}, {333, 112}, {1024, 260}}) {
      if (!kernel->supports(in, std::min(out, cpu::kChunkCols))) continue;
      if (out > cpu::kChunkCols && !kernel->supports(in, out % cpu::kChunkCols)) continue;
      ++served;
      const std::int64_t rows = 150;
      const Owned x = random.matrix(rows, in), w = random.matrix(out, in);
      KernelProduct product(*kernel, w);
      const Owned all = product(x);
      Owned exact(rows, out);
      make_reference_backend()->matmul(x, false, w, true, 1, exact);
      EXPECT_LT(relative_error(all, exact), tolerance) << name << ", " << in << " to " << out;
      for (const int threads : {1, 2, 7}) {
        const ThreadScope scope(threads);
        for (const std::int64_t count : {1, 2, 5, 31, 32, 33, 64, 65, 129, 150}) {
          const std::int64_t first = random.below(static_cast<int>(rows - count + 1));
          ASSERT_TRUE(same_bits(product(x.slice(first, count)), all.slice(first, count)))
              << name << ", " << in << " to " << out << ", " << count << " rows from " << first;
        }
      }
    }
    if (served == 0) std::printf("oneDNN has no kernel of %s here that may be used\n", name.c_str());
  }
}

}  // namespace
}  // namespace sgpt::testing
