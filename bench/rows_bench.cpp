// The operations that memory bounds: bytes a second, counting each input and output once.
#include "inputs.h"

namespace sgpt::bench {
namespace {

constexpr std::int64_t kRows = 1024, kHidden = 1024, kBytes = kRows * kHidden * 4;

void layer_norm(::benchmark::State& state) {
  const auto backend = make_cpu_backend();
  Input x(kRows, kHidden), weight(1, kHidden), bias(1, kHidden), y(kRows, kHidden), stats(kRows, 2);
  for (auto _ : state) backend->layer_norm(Matrix(x), Matrix(weight), Matrix(bias), 1e-5f, y, stats);
  report_bytes(state, 2 * kBytes);
}
BENCHMARK(layer_norm)->UseRealTime();

void layer_norm_backward(::benchmark::State& state) {
  const auto backend = make_cpu_backend();
  Input x(kRows, kHidden), weight(1, kHidden), dy(kRows, kHidden), dx(kRows, kHidden), stats(kRows, 2), dw(1, kHidden),
      db(1, kHidden);
  backend->layer_norm(Matrix(x), Matrix(weight), Matrix(weight), 1e-5f, dx, stats);
  for (auto _ : state) backend->layer_norm_backward(Matrix(x), Matrix(stats), Matrix(weight), Matrix(dy), dx, dw, db);
  report_bytes(state, 4 * kBytes);
}
BENCHMARK(layer_norm_backward)->UseRealTime();

void gelu(::benchmark::State& state) {
  const auto backend = make_cpu_backend();
  Input z(kRows, kHidden), y(kRows, kHidden);
  for (auto _ : state) backend->gelu(Matrix(z), y);
  report_bytes(state, 2 * kBytes);
}
BENCHMARK(gelu)->UseRealTime();

void gelu_backward(::benchmark::State& state) {
  const auto backend = make_cpu_backend();
  Input z(kRows, kHidden), dy(kRows, kHidden);
  for (auto _ : state) {
    backend->gelu_backward(Matrix(z), dy);
    backend->upload(Matrix(z), dy);  // else dy would soon be denormal, and slow
  }
  report_bytes(state, 5 * kBytes);
}
BENCHMARK(gelu_backward)->UseRealTime();

void pool(::benchmark::State& state) {
  const auto backend = make_cpu_backend();
  Arena arena(host_memory());
  const TokenBatch batch = equal_texts(16, kRows / 16);
  const PackedTexts texts = backend->place(batch, arena);
  Input h(kRows, kHidden), e(16, kHidden);
  const PoolingMode mode = PoolingMode::weightedmean;
  for (auto _ : state) backend->pool(texts, Matrix(h), std::span(&mode, 1), e);
  report_bytes(state, kBytes);
}
BENCHMARK(pool)->UseRealTime();

void adamw(::benchmark::State& state) {
  const auto backend = make_cpu_backend();
  Input gradient(kRows, kHidden), p(kRows, kHidden), m(kRows, kHidden), v(kRows, kHidden);
  backend->zero(v);
  const AdamW options{.step_size = 1e-3f, .decay = 1e-5f};
  for (auto _ : state) backend->adamw(options, Matrix(gradient), p, m, v);
  report_bytes(state, 7 * kBytes);
}
BENCHMARK(adamw)->UseRealTime();

void cross_entropy(::benchmark::State& state) {
  const auto backend = make_cpu_backend();
  Input scores(128, 512);
  const std::vector<std::int32_t> labels(128, 5);
  for (auto _ : state) ::benchmark::DoNotOptimize(backend->cross_entropy(scores, labels));
  report_bytes(state, 2 * 128 * 512 * 4);
}
BENCHMARK(cross_entropy)->UseRealTime();

}  // namespace
}  // namespace sgpt::bench
