// Linear layers in the shapes of BLOOM-560m and of a small model, in every compute type, against oneDNN's own f32;
// packing; weight gradients.
#include <algorithm>

#include "inputs.h"

namespace sgpt::bench {
namespace {

double product_flops(std::int64_t rows, std::int64_t in, std::int64_t out) {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
}

void shapes(::benchmark::internal::Benchmark* b) {
  b->ArgNames({"rows", "in", "out"})->UseRealTime()->Unit(::benchmark::kMicrosecond);
  for (const int rows : {1, 4, 16, 64, 128, 1024}) {
    b->Args({rows, 1024, 3072})->Args({rows, 1024, 4096})->Args({rows, 4096, 1024})->Args({rows, 256, 1024});
  }
}

constexpr std::int64_t kCacheBytes = std::int64_t{128} << 20;  // more than processors have
constexpr std::int64_t kSmallBytes = std::int64_t{2} << 20;    // a model of such matrices does stay in the cache

/// Layers one after the other, as a model has them: all but small ones come out of memory.
void linear(::benchmark::State& state, CpuProducts products, Epilogue epilogue, ComputeType type = ComputeType::f32,
            DType stored = DType::f32, WeightSource source = WeightSource::passing,
            WeightUse use = WeightUse::forward) {
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const auto backend = make_cpu_backend(products, 0);
  Input x(rows, in), w(out, in), bias(1, out), y(rows, out);
  if (!backend->computes(type)) return state.SkipWithError("this processor does not compute in this type");
  std::vector<std::uint16_t> halves(static_cast<std::size_t>(out * in));
  std::transform(Matrix(w).f32(), Matrix(w).f32() + out * in, halves.begin(), bf16_from_float);
  const ConstMatrix as_stored = stored == DType::bf16 ? ConstMatrix(halves.data(), out, in, stored) : Matrix(w);
  const std::int64_t bytes = out * in * static_cast<std::int64_t>(sizeof(float));
  std::vector<std::vector<std::byte>> matrices(
      static_cast<std::size_t>(bytes <= kSmallBytes ? 1 : kCacheBytes / bytes));
  std::vector<std::unique_ptr<PackedWeight>> weights;
  for (auto& matrix : matrices) {
    const auto* data = static_cast<const std::byte*>(as_stored.data);
    matrix.assign(data, data + as_stored.bytes());
    weights.push_back(backend->pack({matrix.data(), out, in, as_stored.type}, use, type, {}, source));
  }
  std::size_t layer = 0;
  for (auto _ : state) {
    backend->linear(Matrix(x), *weights[layer], Matrix(bias), y, epilogue);
    layer = (layer + 1) % weights.size();
  }
  report_flops(state, product_flops(rows, in, out));
  if (products == CpuProducts::best) {
    state.counters["of_same_onednn"] = ::benchmark::Counter(
        product_flops(rows, in, out) * static_cast<double>(state.iterations()) / onednn_flops(rows, in, out),
        ::benchmark::Counter::kIsRate);
  }
}
BENCHMARK_CAPTURE(linear, bias, CpuProducts::best, Epilogue::none)->Apply(shapes);
BENCHMARK_CAPTURE(linear, gelu, CpuProducts::best, Epilogue::gelu)->Apply(shapes);
BENCHMARK_CAPTURE(linear, add, CpuProducts::best, Epilogue::add)->Apply(shapes);
BENCHMARK_CAPTURE(linear, streamed, CpuProducts::best, Epilogue::none, ComputeType::f32, DType::f32,
                  WeightSource::lasting)
    ->Apply(shapes);
BENCHMARK_CAPTURE(linear, streamed_bf16, CpuProducts::best, Epilogue::none, ComputeType::f32, DType::bf16,
                  WeightSource::lasting)
    ->Apply(shapes);
BENCHMARK_CAPTURE(linear, bf16, CpuProducts::best, Epilogue::none, ComputeType::bf16)->Apply(shapes);
BENCHMARK_CAPTURE(linear, bf16_streamed, CpuProducts::best, Epilogue::none, ComputeType::bf16, DType::bf16,
                  WeightSource::lasting, WeightUse::forward_and_backward)
    ->Apply(shapes);
BENCHMARK_CAPTURE(linear, int8, CpuProducts::best, Epilogue::none, ComputeType::int8)->Apply(shapes);
BENCHMARK_CAPTURE(linear, int8_gelu, CpuProducts::best, Epilogue::gelu, ComputeType::int8)->Apply(shapes);
BENCHMARK_CAPTURE(linear, int8_add, CpuProducts::best, Epilogue::add, ComputeType::int8)->Apply(shapes);
BENCHMARK_CAPTURE(linear, own_products, CpuProducts::simd, Epilogue::none)->Apply(shapes);

void linear_backward_weight(::benchmark::State& state) {
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const auto backend = make_cpu_backend();
  Input x(rows, in), dy(rows, out), dw(out, in);
  for (auto _ : state) backend->linear_backward_weight(Matrix(dy), Matrix(x), dw);
  report_flops(state, product_flops(rows, in, out));
}
BENCHMARK(linear_backward_weight)->Apply(shapes);

void linear_backward_bias(::benchmark::State& state) {
  const auto backend = make_cpu_backend();
  Input dy(state.range(0), state.range(1)), db(1, state.range(1));
  for (auto _ : state) backend->linear_backward_bias(Matrix(dy), db);
  report_bytes(state, state.range(0) * state.range(1) * 4);
}
BENCHMARK(linear_backward_bias)->Args({1024, 4096})->Args({1024, 1024})->UseRealTime();

/// Queries against a block of documents.
void search_scores(::benchmark::State& state) {
  const std::int64_t queries = state.range(0), documents = state.range(1), d = state.range(2);
  const auto backend = make_cpu_backend();
  Input q(queries, d), docs(documents, d), scores(queries, documents);
  for (auto _ : state) backend->matmul(Matrix(q), false, Matrix(docs), true, 1, scores);
  report_flops(state, product_flops(queries, d, documents));
}
BENCHMARK(search_scores)->Args({1, 8192, 1024})->Args({64, 8192, 1024})->Args({512, 8192, 1024})->UseRealTime();

void pack(::benchmark::State& state, ComputeType type) {
  const std::int64_t out = 4096, in = 1024;
  const auto backend = make_cpu_backend();
  Input w(out, in);
  for (auto _ : state) ::benchmark::DoNotOptimize(backend->pack(Matrix(w), WeightUse::forward, type));
  report_bytes(state, out * in * 4);
}
BENCHMARK_CAPTURE(pack, f32, ComputeType::f32)->UseRealTime();
BENCHMARK_CAPTURE(pack, int8, ComputeType::int8)->UseRealTime();

}  // namespace
}  // namespace sgpt::bench
