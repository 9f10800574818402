#include "backend/cpu/bf16_gain.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "sgpt/error.h"
#include "tensor/dtype.h"

namespace sgpt::cpu {
namespace {

constexpr const char* kVariable = "SGPT_CPU_BF16_GAIN";

// A matrix as a model has them, and some texts' tokens.
constexpr std::int64_t kRows = 256;
constexpr std::int64_t kSide = 1024;
constexpr int kRuns = 5;  // of some milliseconds; the best counts

/// One product, or two, of a matrix of ones.
class TimedProduct {
 public:
  TimedProduct(Backend& backend, WeightUse use, ComputeType type)
      : backend_(backend),
        use_(use),
        values_(static_cast<std::size_t>(kSide * kSide), bf16_from_float(1)),
        weight_(backend.pack({values_.data(), kSide, kSide, DType::bf16}, use, type, {}, WeightSource::lasting)),
        x_(static_cast<std::size_t>(kRows * kSide), 1.0F),
        y_(x_.size()) {}

  double seconds() {
    const auto start = std::chrono::steady_clock::now();
    const Matrix x(x_.data(), kRows, kSide);
    const Matrix y(y_.data(), kRows, kSide);
    backend_.linear(x, *weight_, {}, y, Epilogue::none);
    if (use_ == WeightUse::forward_and_backward) backend_.linear_backward_input(x, *weight_, y);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  Backend& backend_;
  WeightUse use_;
  std::vector<std::uint16_t> values_;
  std::unique_ptr<PackedWeight> weight_;
  std::vector<float> x_;
  std::vector<float> y_;
};

double gain_from(const char* text) {
  char* end = nullptr;
  const double gain = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(gain > 0)) {
    throw UserError(fmt::format("{}: found \"{}\"; expected a number above 0", kVariable, text));
  }
  return gain;
}

}  // namespace

double gain_of_bf16(Backend& backend, WeightUse use) {
  if (const char* said = std::getenv(kVariable)) return gain_from(said);
  TimedProduct floats(backend, use, ComputeType::f32);
  TimedProduct halves(backend, use, ComputeType::bf16);
  double floats_best = std::numeric_limits<double>::infinity();
  double halves_best = floats_best;
  floats.seconds(), halves.seconds();  // takes memory and prepares the kernels
  for (int run = 0; run < kRuns; ++run) {
    floats_best = std::min(floats_best, floats.seconds());
    halves_best = std::min(halves_best, halves.seconds());
  }
  return floats_best / halves_best;
}

}  // namespace sgpt::cpu
