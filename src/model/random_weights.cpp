#include "model/random_weights.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "base/random.h"
#include "model/parameters.h"

namespace sgpt {
namespace {

constexpr double kStandardDeviation = 0.02;
constexpr std::uint64_t kBlock = 1 << 14;  // numbers that come from one generator, so that threads can share the work

/// Scatters neighbouring numbers (the finaliser of SplitMix64), so that no two blocks have related generators.
std::uint64_t scattered(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// The numbers `first`, `first` + 1, … of a tensor; `first` begins a block.
void fill_normal(std::uint64_t tensor_seed, std::uint64_t first, std::span<float> numbers) {
  const auto blocks = static_cast<std::int64_t>((numbers.size() + kBlock - 1) / kBlock);
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < blocks; ++b) {
    const auto begin = static_cast<std::uint64_t>(b) * kBlock;
    Random random(scattered(tensor_seed + first / kBlock + static_cast<std::uint64_t>(b)));
    for (float& number : numbers.subspan(begin, std::min<std::uint64_t>(kBlock, numbers.size() - begin))) {
      number = static_cast<float>(kStandardDeviation * random.normal());
    }
  }
}

std::span<float> as_floats(std::span<std::byte> bytes) {
  return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}

}  // namespace

std::vector<TensorToWrite> random_weights(const Architecture& config, std::uint64_t seed) {
  std::vector<TensorToWrite> weights;
  for (const ParameterInfo& parameter : decoder_parameters(config)) {
    TensorToWrite tensor{parameter.name, DType::f32, parameter.shape(), {}, {}};
    if (parameter.kind == ParameterKind::vector) {
      const float value = parameter.bias ? 0.0f : 1.0f - config.norm_plus;
      tensor.fill = [value](std::uint64_t, std::span<std::byte> piece) { std::ranges::fill(as_floats(piece), value); };
    } else {
      const std::uint64_t tensor_seed = scattered(scattered(seed) + weights.size() + 1);
      tensor.fill = [tensor_seed](std::uint64_t first, std::span<std::byte> piece) {
        fill_normal(tensor_seed, first / sizeof(float), as_floats(piece));
      };
    }
    weights.push_back(std::move(tensor));
  }
  return weights;
}

}  // namespace sgpt
