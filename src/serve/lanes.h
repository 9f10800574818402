// The threads that compute: each lane takes a batch, calls the model, and hands the rows to those who wait for them.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "serve/admission.h"
#include "serve/batch_former.h"
#include "serve/batch_queue.h"
#include "serve/embedding_cache.h"
#include "serve/work.h"

namespace sgpt::serve {

/// One row an input; null where the embedding is not finite. Called on the lanes' threads, several at once.
using Compute = std::function<std::vector<Row>(std::span<const Input* const>)>;

struct LaneOptions {
  int lanes = 1;
  std::int64_t batch_tokens = 2048;
  double tokens_a_second = 1000;  ///< of a lane, to begin with
  std::size_t cache_bytes = 0;
  AdmissionLimits admission = {};
};

/// What is told of the work: numbers of this moment.
struct WorkState {
  std::array<std::int64_t, 2> waiting_tokens{};  ///< interactive, bulk
  std::array<double, 2> expected_wait{};         ///< seconds
  std::size_t tickets = 0, entries = 0;
  std::size_t cache_bytes = 0;
  std::uint64_t cache_hits = 0, cache_misses = 0;
  std::uint64_t batches = 0, inputs = 0, tokens = 0;  ///< computed so far
  std::size_t last_batch_size = 0;
  std::int64_t last_batch_tokens = 0;
  std::uint64_t cancelled = 0, expired = 0;
  double tokens_a_second = 0;  ///< of all lanes
};

class Lanes : public Work {
 public:
  Lanes(Compute compute, const LaneOptions& options);
  /// Ends at once: whoever still waits is told that the server stops.
  ~Lanes() override;

  std::variant<TicketId, Refusal> submit(WorkRequest request) override;
  void cancel(TicketId ticket) override;

  /// From now on nothing is taken. Waits until what was accepted is done, or until then; the rest is told so. True when
  /// nothing was left.
  bool drain(Clock::time_point until);

  WorkState state() const;
  /// How long the lane that has been at its batch for longest has been at it.
  Clock::duration longest_batch() const;

 private:
  void run(std::size_t lane);
  void work(std::unique_lock<std::mutex>& lock, std::size_t lane);
  void answer(const std::vector<std::unique_ptr<Ticket>>& tickets, Outcome outcome, const std::string& why = {});

  const Compute compute_;
  const LaneOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable there_is_work_, idle_;
  BatchQueue queue_;
  BatchFormer former_;
  EmbeddingCache cache_;
  Pace pace_;
  bool closed_ = false, ending_ = false;
  std::size_t answering_ = 0;
  WorkState counted_;
  std::vector<std::optional<Clock::time_point>> began_;  // a lane's batch
  std::vector<std::thread> threads_;
};

}  // namespace sgpt::serve
