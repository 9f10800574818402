// Random inputs for the benchmarks, and the speed that oneDNN alone reaches on a product, which the others are held
// against.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "tensor/arena.h"

namespace sgpt::bench {

/// An f32 matrix of small random numbers.
class Input {
 public:
  Input(std::int64_t rows, std::int64_t cols)
      : rows_(rows), cols_(cols), values_(static_cast<std::size_t>(rows * cols)) {
    std::minstd_rand engine(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (float& v : values_) v = uniform(engine);
  }
  operator Matrix() { return {values_.data(), rows_, cols_}; }

 private:
  std::int64_t rows_, cols_;
  std::vector<float> values_;
};

/// `texts` texts of `length` tokens.
inline TokenBatch equal_texts(std::int64_t texts, std::int64_t length) {
  TokenBatch batch;
  for (std::int64_t b = 0; b < texts; ++b) batch.add(std::vector<std::int32_t>(static_cast<std::size_t>(length), 1));
  return batch;
}

/// Floating-point operations a second of oneDNN's own matmul [rows,in]·[in,out] on packed weights and all threads: the
/// limit for whatever is made of such products.
double onednn_flops(std::int64_t rows, std::int64_t in, std::int64_t out);

/// Reports operations a second, and as a share of oneDNN's on a product of 1024 × 1024 × 4096.
void report_flops(::benchmark::State& state, double flops_per_iteration);

/// Reports bytes a second.
void report_bytes(::benchmark::State& state, std::int64_t bytes_per_iteration);

}  // namespace sgpt::bench
