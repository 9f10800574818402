#include "backend/tile_peak.h"

#include <omp.h>

#include <chrono>

#include "backend/cpu/processor.h"
#include "backend/cpu/tile_unit.h"

namespace sgpt::cpu {
namespace {

constexpr double kSeconds = 0.02;
constexpr int kSteps = 1000;  // of four products, between two looks at the clock

template <bool kBytes>
void multiply() {
  using Unit = BestTileUnit;
  const auto one = []<int kSums, int kLeft, int kRight>() {
    if constexpr (kBytes) {
      Unit::template multiply_bytes<kSums, kLeft, kRight>();
    } else {
      Unit::template multiply_bf16<kSums, kLeft, kRight>();
    }
  };
  one.template operator()<0, 4, 6>();
  one.template operator()<1, 4, 7>();
  one.template operator()<2, 5, 6>();
  one.template operator()<3, 5, 7>();
}

template <bool kBytes>
double measure() {
  using Clock = std::chrono::steady_clock;
  constexpr double kOperations = 2.0 * 4 * kUnitRows * kUnitFloats * (kBytes ? kUnitRowBytes : kUnitHalves);
  double sum = 0;
#pragma omp parallel reduction(+ : sum)
  {
    const UnitScope<BestTileUnit> scope;
    const auto start = Clock::now();
    double seconds = 0;
    double steps = 0;
    while (seconds < kSeconds) {
      for (int i = 0; i < kSteps; ++i) multiply<kBytes>();
      steps += kSteps;
      seconds = std::chrono::duration<double>(Clock::now() - start).count();
    }
    sum += steps * kOperations / seconds;
  }
  return sum;
}

}  // namespace
}  // namespace sgpt::cpu

double sgpt::tile_peak(ComputeType type) {
  if (type == ComputeType::bf16 && cpu::processor().amx_bf16) return cpu::measure<false>();
  if (type == ComputeType::int8 && cpu::processor().amx_int8) return cpu::measure<true>();
  return 0;
}
