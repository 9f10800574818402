// Attention, forward and backward; what causality spares is not counted as work.
#include "inputs.h"

namespace sgpt::bench {
namespace {

void shapes(::benchmark::internal::Benchmark* b) {
  b->ArgNames({"texts", "length", "heads", "dim"})->UseRealTime()->Unit(::benchmark::kMicrosecond);
  for (const auto& [texts, length] : {std::pair{64, 16}, {16, 64}, {4, 300}, {1, 2048}}) {
    b->Args({texts, length, 16, 64})->Args({texts, length, 4, 64})->Args({texts, length, 32, 128});
  }
}

struct Inputs {
  explicit Inputs(const ::benchmark::State& state)
      : texts(state.range(0)),
        length(state.range(1)),
        heads(state.range(2)),
        d(heads * state.range(3)),
        batch(equal_texts(texts, length)),
        qkv(texts * length, 3 * d),
        slopes(1, heads),
        y(texts * length, d),
        log_sums(texts * length, heads) {}

  /// Floating-point operations of `products` products of half an n × n matrix with a head's columns.
  double flops(int products) const {
    return products * static_cast<double>(texts * d) * static_cast<double>(length * (length + 1));
  }

  /// As BLOOM's.
  AttentionOptions options() { return {.heads = heads, .dim = d / heads, .scale = 0.125f, .slopes = Matrix(slopes)}; }
  Qkv heads_of(Matrix m) const {
    const std::int64_t dim = d / heads;
    return {{m, 0, 3 * dim}, {m, dim, 3 * dim}, {m, 2 * dim, 3 * dim}};
  }

  std::int64_t texts, length, heads, d;
  std::unique_ptr<Backend> backend = make_cpu_backend();
  Arena arena{host_memory()};
  TokenBatch batch;
  Input qkv, slopes, y, log_sums;
};

void attention(::benchmark::State& state) {
  Inputs in(state);
  const PackedTexts texts = in.backend->place(in.batch, in.arena);
  for (auto _ : state) in.backend->attention(texts, in.heads_of(in.qkv), in.options(), in.y, in.log_sums);
  report_flops(state, in.flops(2));
}
BENCHMARK(attention)->Apply(shapes);

void attention_backward(::benchmark::State& state) {
  Inputs in(state);
  const PackedTexts texts = in.backend->place(in.batch, in.arena);
  Input dqkv(in.texts * in.length, 3 * in.d);
  in.backend->attention(texts, in.heads_of(in.qkv), in.options(), in.y, in.log_sums);
  for (auto _ : state) {
    in.backend->attention_backward(texts, in.heads_of(in.qkv), in.options(), Matrix(in.log_sums), Matrix(in.y),
                                   in.heads_of(dqkv));
  }
  report_flops(state, in.flops(5));
}
BENCHMARK(attention_backward)->Apply(shapes);

}  // namespace
}  // namespace sgpt::bench
