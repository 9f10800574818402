// Exact search for a batch of queries, beside its two limits: oneDNN's speed on large products, and reading the
// documents once. SGPT_BENCH_ROWS documents (by default 200,000) of dimension 1024.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "inputs.h"
#include "sgpt/search.h"

namespace sgpt::bench {
namespace {

constexpr std::int64_t kDimension = 1024;

/// Random numbers made by one multiplication each, for gigabytes of them.
Embeddings random_embeddings(std::int64_t rows, std::uint32_t seed) {
  Embeddings embeddings{rows, kDimension, std::vector<float>(static_cast<std::size_t>(rows * kDimension))};
  std::minstd_rand engine(seed);
  for (float& value : embeddings.values) value = static_cast<float>(engine()) * (2.0f / 2147483647.0f) - 1.0f;
  return embeddings;
}

std::int64_t document_count() {
  const char* rows = std::getenv("SGPT_BENCH_ROWS");
  return rows ? std::stoll(rows) : 200000;
}

const Embeddings& documents() {
  static const Embeddings all = random_embeddings(document_count(), 1);
  return all;
}

/// Bytes a second of reading the documents with all threads.
void read_documents(::benchmark::State& state) {
  const auto& values = documents().values;
  for (auto _ : state) {
    double sum = 0;
#pragma omp parallel for reduction(+ : sum) schedule(static)
    for (std::size_t row = 0; row < values.size(); row += kDimension) {
      float part = 0;
#pragma omp simd reduction(+ : part)
      for (std::size_t i = 0; i < kDimension; ++i) part += values[row + i];
      sum += static_cast<double>(part);
    }
    ::benchmark::DoNotOptimize(sum);
  }
  report_bytes(state, static_cast<std::int64_t>(values.size() * sizeof(float)));
}
BENCHMARK(read_documents)->UseRealTime()->Unit(::benchmark::kMillisecond);

void search(::benchmark::State& state) {
  const Embeddings queries = random_embeddings(state.range(0), 2);
  const SearchOptions options{.top_k = state.range(1),
                              .similarity = state.range(2) ? Similarity::cosine : Similarity::dot};
  for (auto _ : state) ::benchmark::DoNotOptimize(exact_search(queries, documents(), options));
  report_flops(state, 2.0 * static_cast<double>(queries.rows) * static_cast<double>(documents().values.size()));
  report_bytes(state, static_cast<std::int64_t>(documents().values.size() * sizeof(float)));
}
BENCHMARK(search)
    ->ArgNames({"queries", "top_k", "cosine"})
    ->Args({1, 10, 0})
    ->Args({100, 10, 0})
    ->Args({100, 10, 1})
    ->Args({100, 1000, 0})
    ->Args({1000, 1000, 0})
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);

}  // namespace
}  // namespace sgpt::bench
