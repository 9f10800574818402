// Whether bf16 pays: on one processor it doubles the speed of f32, on another it halves it, though both have the
// instructions. So a tile is timed in both.
#include <algorithm>
#include <chrono>
#include <vector>

#include "backend/cpu/product.h"

namespace sgpt::cpu {
namespace {

constexpr std::int64_t kRows = 128;
constexpr std::int64_t kInner = 1024;
constexpr int kRuns = 5;  // of half a millisecond or so; the best counts

/// Multiplies one tile of ones.
class TimedTile {
 public:
  TimedTile(const TileKernel& kernel, Workspace& workspace)
      : kernel_(kernel), workspace_(workspace), packed_(kernel, kInner, kChunkCols) {
    const std::vector<float> ones(static_cast<std::size_t>(kInner * kChunkCols), 1.0f);
    packed_.fill(0, {ones.data(), kInner, kChunkCols, kChunkCols, 1}, workspace);
    left_.resize(static_cast<std::size_t>(kRows * kInner), 1.0f);
    if (!kernel.converts_left()) return;
    std::vector<float> values(left_.size());
    for (std::int64_t row = 0; row < kRows; ++row) {
      RowRange none{};
      auto* to = reinterpret_cast<std::byte*>(values.data()) +
                 static_cast<std::size_t>(row * kInner) * kernel.left_value_bytes();
      kernel.convert_row(left_.data(), kInner, kInner, to, nullptr, none);
    }
    left_ = std::move(values);
  }

  double seconds() {
    float* tile = workspace_.floats(kTileSlot, kRows * kernel_.tile_stride(kChunkCols));
    const std::byte* right = packed_.chunk(0, workspace_);
    const auto start = std::chrono::steady_clock::now();
    kernel_.multiply({.values = left_.data()}, kRows, kInner, kChunkCols, right, tile, false, workspace_);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  const TileKernel& kernel_;
  Workspace& workspace_;
  PackedMatrix packed_;
  std::vector<float> left_;
};

}  // namespace

double Products::gain_of_bf16() const {
  const auto workspace = workspaces_.take();
  TimedTile floats(kernel(kInner, kChunkCols), *workspace);
  TimedTile halves(kernel(kInner, kChunkCols, ComputeType::bf16), *workspace);
  floats.seconds(), halves.seconds();  // compiles the kernels
  double floats_best = floats.seconds(), halves_best = halves.seconds();
  for (int run = 1; run < kRuns; ++run) {
    floats_best = std::min(floats_best, floats.seconds());
    halves_best = std::min(halves_best, halves.seconds());
  }
  return floats_best / halves_best;
}

}  // namespace sgpt::cpu
