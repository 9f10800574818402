// What is counted, and Prometheus' text of it. Atomic numbers alone: nothing here waits for anything.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "serve/http_server.h"
#include "serve/lanes.h"

namespace sgpt::serve {

/// A histogram of seconds, or of tokens.
class Histogram {
 public:
  static constexpr std::size_t kBounds = 16;  ///< each twice the one before it
  explicit Histogram(double first) : first_(first) {}
  void observe(double value);
  void write(std::string& text, std::string_view name) const;

 private:
  double first_;
  std::array<std::atomic<std::uint64_t>, kBounds + 1> counts_{};
  std::atomic<double> sum_ = 0;
};

class Metrics {
 public:
  std::atomic<std::uint64_t> requests = 0, successes = 0;
  std::atomic<std::uint64_t> embeds = 0, embed_successes = 0, truncated = 0, default_kinds = 0;
  std::atomic<std::uint64_t> reloads_done = 0, reloads_failed = 0;
  std::atomic<std::size_t> in_flight = 0;
  Histogram duration{0.001}, tokenization{0.0001}, queue{0.001}, inference{0.001}, input_length{1};

  /// A request ended with a failure of that name.
  void failed(std::string_view kind);

  std::string text(const WorkState& work, const ConnectionCounts& connections, const std::string& model,
                   const std::string& dtype) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t, std::less<>> failures_;
};

}  // namespace sgpt::serve
