#include "bench/products.h"

#include <chrono>
#include <map>
#include <numeric>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

#include "model/layer_plan.h"

namespace sgpt::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFewestRuns = 3;
constexpr double kEnoughSeconds = 0.3;

/// Numbers of ordinary size: the time of a product must not depend on zeros or denormals.
void fill(dnnl::memory& memory) {
  auto* values = static_cast<float*>(memory.get_data_handle());
  const std::size_t count = memory.get_desc().get_size() / sizeof(float);
  for (std::size_t i = 0; i < count; ++i) values[i] = 0.01f * static_cast<float>(i % 13) - 0.06f;
}

/// c[rows,cols] = a[rows,inner] b[inner,cols]: the mean of up to `most_runs` runs after a first one.
double seconds_of_product(std::int64_t rows, std::int64_t inner, std::int64_t cols, std::int64_t most_runs) {
  using dnnl::memory;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto type = memory::data_type::f32;
  const auto plain = memory::format_tag::ab;
  const dnnl::matmul::desc description(memory::desc({rows, inner}, type, plain),
                                       memory::desc({inner, cols}, type, memory::format_tag::any),
                                       memory::desc({rows, cols}, type, plain));
  const dnnl::matmul::primitive_desc chosen(description, engine);
  const dnnl::matmul product(chosen);
  memory a(chosen.src_desc(), engine);
  memory b(chosen.weights_desc(), engine);
  memory c(chosen.dst_desc(), engine);
  fill(a);
  fill(b);
  const std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}};
  const auto run = [&] {
    product.execute(stream, arguments);
    stream.wait();
  };
  run();
  const auto start = Clock::now();
  double seconds = 0;
  std::int64_t runs = 0;
  do {
    run();
    ++runs;
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  } while (runs < kFewestRuns || (runs < most_runs && seconds < kEnoughSeconds));
  return seconds / static_cast<double>(runs);
}

}  // namespace

double seconds_of_products(const Architecture& config, std::span<const std::int64_t> rows, ProductPass pass) {
  const LayerPlan layer = layer_plan(config);
  std::map<std::int64_t, std::int64_t> batches;  // rows → how many batches have them
  for (const std::int64_t count : rows) ++batches[count];
  double seconds = 0;
  for (const auto& [count, times] : batches) {
    if (count == 0) continue;
    for (const LayerProduct& linear : layer.products) {
      const double one = [&, rows = count] {
        switch (pass) {
          case ProductPass::forward: return seconds_of_product(rows, linear.in, linear.out, config.layers);
          case ProductPass::backward_input: return seconds_of_product(rows, linear.out, linear.in, config.layers);
          case ProductPass::backward_weight: return seconds_of_product(linear.out, rows, linear.in, config.layers);
        }
        return 0.0;
      }();
      seconds += one * static_cast<double>(times * config.layers);
    }
  }
  return seconds;
}

double operations_of_products(const Architecture& config, std::span<const std::int64_t> rows) {
  double numbers = 0;
  for (const LayerProduct& linear : layer_plan(config).products) numbers += static_cast<double>(linear.out * linear.in);
  const auto tokens = static_cast<double>(std::accumulate(rows.begin(), rows.end(), std::int64_t{0}));
  return 2 * tokens * numbers * static_cast<double>(config.layers);
}

}  // namespace sgpt::bench
