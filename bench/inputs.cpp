#include "inputs.h"

#include <chrono>

#include <dnnl.hpp>

namespace sgpt::bench {

double onednn_flops(std::int64_t rows, std::int64_t in, std::int64_t out) {
  using dnnl::memory;
  constexpr auto kFloat = memory::data_type::f32;
  constexpr auto kRowMajor = memory::format_tag::ab;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc left({rows, in}, kFloat, kRowMajor), result({rows, out}, kFloat, kRowMajor);
  const memory::desc any({in, out}, kFloat, memory::format_tag::any);
  const dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(left, any, result), engine);
  memory a(left, engine), b(desc.weights_desc(), engine), c(result, engine);
  // Zeros would do for the time, but not what malloc left behind: denormals are slow.
  for (memory* m : {&a, &b, &c}) std::fill_n(static_cast<char*>(m->get_data_handle()), m->get_desc().get_size(), '\0');
  const dnnl::matmul product(desc);
  const auto run = [&] {
    product.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
    stream.wait();
  };
  run();
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::duration<double> elapsed{};
  int runs = 0;
  for (; elapsed.count() < 0.3; ++runs, elapsed = std::chrono::steady_clock::now() - begin) run();
  return 2.0 * static_cast<double>(rows * in * out) * runs / elapsed.count();
}

void report_flops(::benchmark::State& state, double flops_per_iteration) {
  static const double limit = onednn_flops(1024, 1024, 4096);
  using Counter = ::benchmark::Counter;
  const double flops = flops_per_iteration * static_cast<double>(state.iterations());
  state.counters["flop/s"] = Counter(flops, Counter::kIsRate);
  state.counters["of_onednn"] = Counter(flops / limit, Counter::kIsRate);
}

void report_bytes(::benchmark::State& state, std::int64_t bytes_per_iteration) {
  state.SetBytesProcessed(state.iterations() * bytes_per_iteration);
}

}  // namespace sgpt::bench
