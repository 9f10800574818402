// How long a request would wait, and whether it is let in. Its own size does not count, so that an idle server takes
// any list.
#pragma once

#include <cstdint>
#include <optional>

#include "serve/batch_queue.h"

namespace sgpt::serve {

/// Tokens a second, as measured. Plain data, no lock.
class Pace {
 public:
  /// Before anything was measured, `tokens_a_second` is a guess.
  explicit Pace(double tokens_a_second) : rate_(tokens_a_second) {}
  /// A lane computed a batch.
  void measured(std::int64_t tokens, Clock::duration time);
  double of_a_lane() const { return rate_; }

 private:
  double rate_;
};

/// Tokens that will be computed before a new request of this class begins.
std::int64_t tokens_before(const BatchQueue& queue, Class kind);

struct AdmissionLimits {
  Clock::duration max_wait = std::chrono::seconds(10);
  Clock::duration max_bulk_wait = std::chrono::seconds(120);
};

/// The expected wait.
Clock::duration expected_wait(const BatchQueue& queue, Class kind, double tokens_a_second);

/// The expected wait, where it is too long.
std::optional<Clock::duration> refused(const BatchQueue& queue, Class kind, double tokens_a_second,
                                       const AdmissionLimits& limits);

}  // namespace sgpt::serve
