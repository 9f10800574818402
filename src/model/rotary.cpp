#include "model/rotary.h"

#include "base/fork.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace sgpt {
namespace {

constexpr std::int64_t kFirstPositions = 512;

/// The pair, as a real number, that turns n times within the positions that the model was trained on.
double pair_turning(const Rotary& rotary, double n, std::int64_t dims) {
  return static_cast<double>(dims) * std::log(rotary.original_positions / (2 * std::numbers::pi * n)) /
         (2 * std::log(rotary.theta));
}

double llama3(const Rotary& rotary, double frequency) {
  const double wave = 2 * std::numbers::pi / frequency, slow = frequency / rotary.factor;
  if (wave > rotary.original_positions / rotary.low_freq_factor) return slow;
  if (wave < rotary.original_positions / rotary.high_freq_factor) return frequency;
  const double share =
      (rotary.original_positions / wave - rotary.low_freq_factor) / (rotary.high_freq_factor - rotary.low_freq_factor);
  return (1 - share) * slow + share * frequency;
}

/// How much of each pair is slowed down, between the bounds of yarn.
struct Ramp {
  Ramp(const Rotary& rotary, std::int64_t dims)
      : low(pair_turning(rotary, rotary.beta_fast, dims)), high(pair_turning(rotary, rotary.beta_slow, dims)) {
    if (rotary.truncate) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0);
    high = std::min(high, static_cast<double>(dims - 1));
    if (low == high) high += 0.001;
  }
  double at(std::int64_t pair) const { return std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0); }

  double low, high;
};

}  // namespace

std::vector<float> rotary_frequencies(const Rotary& rotary, std::int64_t dims) {
  const Ramp ramp(rotary, dims);
  std::vector<float> frequencies;
  for (std::int64_t pair = 0; pair < dims / 2; ++pair) {
    const float exponent = static_cast<float>(2 * pair) / static_cast<float>(dims);
    const float plain = 1.0f / static_cast<float>(std::pow(rotary.theta, static_cast<double>(exponent)));
    const auto exact = static_cast<double>(plain);
    double frequency = exact;
    switch (rotary.scaling) {
      case RotaryScaling::none: break;
      case RotaryScaling::linear: frequency = exact / rotary.factor; break;
      case RotaryScaling::llama3: frequency = llama3(rotary, exact); break;
      case RotaryScaling::yarn: frequency = exact * (1 - ramp.at(pair)) + exact / rotary.factor * ramp.at(pair); break;
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

std::vector<float> rotary_turns(const Rotary& rotary, Pairing pairing, std::int64_t positions, std::int64_t dims) {
  const std::vector<float> frequencies = rotary_frequencies(rotary, dims);
  const std::int64_t pairs = dims / 2;
  std::vector<float> turns(static_cast<std::size_t>(positions * dims));
#pragma omp parallel for schedule(static)
  for (std::int64_t t = 0; t < positions; ++t) {
    float* row = turns.data() + t * dims;
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      const double angle = static_cast<double>(static_cast<float>(t) * frequencies[static_cast<std::size_t>(pair)]);
      const bool halves = pairing == Pairing::halves;
      row[halves ? pair : 2 * pair] = static_cast<float>(std::cos(angle) * rotary.attention_factor);
      row[halves ? pairs + pair : 2 * pair + 1] = static_cast<float>(std::sin(angle) * rotary.attention_factor);
    }
  }
  return turns;
}

Turns::Turns(Backend& backend, const Rotary& rotary, Pairing pairing, std::int64_t dims)
    : backend_(backend), rotary_(rotary), pairing_(pairing), dims_(dims) {
  rows(kFirstPositions);
}

ConstMatrix Turns::last() const {
  if (tables_.empty()) return {nullptr, 0, dims_};
  const Buffer& table = tables_.back();
  return {table.data(), static_cast<std::int64_t>(table.bytes() / sizeof(float)) / dims_, dims_};
}

ConstMatrix Turns::rows(std::int64_t positions) const {
  const NoForkMeanwhile hold;
  const std::lock_guard lock(mutex_);
  if (const ConstMatrix table = last(); table.rows >= positions) return table;
  const auto length = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(positions)));
  const std::vector<float> turns = rotary_turns(rotary_, pairing_, length, dims_);
  Buffer table(backend_.memory(), turns.size() * sizeof(float));
  backend_.upload(ConstMatrix(turns.data(), length, dims_), Matrix(table.data(), length, dims_));
  tables_.push_back(std::move(table));
  return last();
}

std::size_t Turns::bytes() const {
  const std::lock_guard lock(mutex_);
  std::size_t sum = 0;
  for (const Buffer& table : tables_) sum += table.bytes();
  return sum;
}

}  // namespace sgpt
