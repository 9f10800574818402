#include "serve/admission.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <vector>

#include "serve/batch_former.h"

namespace sgpt::serve {
namespace {

/// Of bulk requests that take turns `kBulkTurns` at a time: what is computed of them until one more has its turn. Each
/// of those at work is served alike, so the level (tokens that one which has been there from the beginning got) tells
/// when each ends.
std::int64_t bulk_before(const std::vector<std::int64_t>& tickets) {
  struct Served {
    std::int64_t from, tokens;
  };
  std::vector<Served> served;
  std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> ends;
  const auto next_begin = [&] { return ends.size() < kBulkTurns ? 0 : ends.top(); };
  for (const std::int64_t tokens : tickets) {
    const std::int64_t from = next_begin();
    if (ends.size() == kBulkTurns) ends.pop();
    served.push_back({from, tokens});
    ends.push(from + tokens);
  }
  const std::int64_t level = next_begin();
  std::int64_t sum = 0;
  for (const auto& [from, tokens] : served) sum += std::clamp<std::int64_t>(level - from, 0, tokens);
  return sum;
}

}  // namespace

void Pace::measured(std::int64_t tokens, Clock::duration time) {
  const double seconds = std::chrono::duration<double>(time).count();
  if (tokens <= 0 || seconds <= 0) return;
  // Weighted by time, over about the last five seconds: one slow batch is no trend, and a long one counts more.
  const double weight = std::min(0.5, seconds / 5);
  rate_ = 1 / ((1 - weight) / rate_ + weight * seconds / static_cast<double>(tokens));
}

std::int64_t tokens_before(const BatchQueue& queue, Class kind) {
  constexpr std::int64_t kOthers = BatchFormer::kShare - 1;  // interactive tokens for each of bulk, while both wait
  const std::int64_t interactive = queue.waiting_tokens(Class::interactive);
  if (kind == Class::interactive) {
    return queue.computing_tokens() + interactive + std::min(queue.waiting_tokens(Class::bulk), interactive / kOthers);
  }
  const std::int64_t bulk = bulk_before(queue.bulk_tickets());
  return queue.computing_tokens() + bulk + std::min(interactive, kOthers * bulk);
}

Clock::duration expected_wait(const BatchQueue& queue, Class kind, double tokens_a_second) {
  const double seconds = static_cast<double>(tokens_before(queue, kind)) / tokens_a_second;
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::min(seconds, 1e6)));
}

std::optional<Clock::duration> refused(const BatchQueue& queue, Class kind, double tokens_a_second,
                                       const AdmissionLimits& limits) {
  const Clock::duration wait = expected_wait(queue, kind, tokens_a_second);
  if (wait <= (kind == Class::interactive ? limits.max_wait : limits.max_bulk_wait)) return std::nullopt;
  return wait;
}

}  // namespace sgpt::serve
