#include "bench/latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "base/threads.h"
#include "bench/products.h"
#include "encode/encoder_parts.h"
#include "retrieval/dataset.h"
#include "sgpt/error.h"

namespace sgpt::bench {

LatencyResult bench_latency(const std::filesystem::path& model, const std::filesystem::path& data, std::int64_t queries,
                            const EncoderOptions& options) {
  using Clock = std::chrono::steady_clock;
  const DataSetFolder folder{data};
  std::vector<Query> texts = read_queries(folder.queries());
  if (texts.empty()) throw UserError(fmt::format("{}: no queries are there", folder.queries().string()));
  texts.resize(std::min(texts.size(), static_cast<std::size_t>(queries)));

  const Encoder encoder = Encoder::load(model, options);
  for (const Query& query : texts) encoder.encode_queries({&query.text, 1});
  std::vector<double> seconds;
  std::int64_t tokens = 0;
  for (const Query& query : texts) {
    const auto start = Clock::now();
    encoder.encode_queries({&query.text, 1});
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    tokens += static_cast<std::int64_t>(encoder.tokenize(query.text, TextKind::query).size());
  }
  std::sort(seconds.begin(), seconds.end());

  LatencyResult result;
  result.queries = static_cast<std::int64_t>(texts.size());
  result.tokens = static_cast<double>(tokens) / static_cast<double>(texts.size());
  result.median_seconds = seconds[seconds.size() / 2];
  result.slow_seconds = seconds[seconds.size() * 95 / 100];
  const ThreadScope threads(options.threads);
  const std::int64_t rows = std::max<std::int64_t>(1, std::llround(result.tokens));
  result.product_seconds =
      seconds_of_products(encoder.parts().folder.config, std::span(&rows, 1), ProductPass::forward);
  return result;
}

}  // namespace sgpt::bench
