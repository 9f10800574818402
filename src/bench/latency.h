// sgpt bench latency: how long one query alone takes, from its text to its embedding.
#pragma once

#include <cstdint>
#include <filesystem>

#include "sgpt/encoder.h"

namespace sgpt::bench {

struct LatencyResult {
  std::int64_t queries = 0;
  double tokens = 0;           ///< of a query, brackets included, on average
  double median_seconds = 0;   ///< of Encoder::encode_queries with one text
  double slow_seconds = 0;     ///< the 95th percentile
  double product_seconds = 0;  ///< what oneDNN alone takes for the products of a query of average length
};

/// The first `queries` of a data set one after the other, after a round that warms up.
LatencyResult bench_latency(const std::filesystem::path& model, const std::filesystem::path& data, std::int64_t queries,
                            const EncoderOptions& options);

}  // namespace sgpt::bench
