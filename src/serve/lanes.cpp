#include "serve/lanes.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

namespace sgpt::serve {

Lanes::Lanes(Compute compute, const LaneOptions& options)
    : compute_(std::move(compute)),
      options_(options),
      cache_(options.cache_bytes),
      pace_(options.tokens_a_second),
      began_(static_cast<std::size_t>(options.lanes)) {
  for (std::size_t lane = 0; lane < began_.size(); ++lane) threads_.emplace_back([this, lane] { run(lane); });
}

Lanes::~Lanes() {
  std::vector<std::unique_ptr<Ticket>> left;
  {
    const std::lock_guard lock(mutex_);
    closed_ = ending_ = true;
    left = queue_.remove_all();
  }
  there_is_work_.notify_all();
  answer(left, Outcome::stopped);
  for (std::thread& thread : threads_) thread.join();
}

std::variant<TicketId, Refusal> Lanes::submit(WorkRequest request) {
  const Clock::time_point now = Clock::now();
  std::vector<Row> known(request.inputs.size());
  std::size_t found = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return Refusal{Refusal::Why::stopping};
    for (std::size_t i = 0; i < known.size(); ++i) {
      known[i] = cache_.find(request.inputs[i]);
      if (known[i]) ++found;
    }
    if (found < known.size()) {
      const double rate = pace_.of_a_lane() * options_.lanes;
      if (const auto wait = refused(queue_, class_of(request.inputs), rate, options_.admission)) {
        return Refusal{Refusal::Why::too_long_a_wait, *wait};
      }
      const TicketId ticket = queue_.add(std::move(request), std::move(known), now);
      there_is_work_.notify_one();
      return ticket;
    }
  }
  request.done({.rows = std::move(known), .cached = found});
  return TicketId{0};
}

void Lanes::cancel(TicketId ticket) {
  std::unique_ptr<Ticket> gone;  // freed without the lock
  const std::lock_guard lock(mutex_);
  gone = queue_.remove(ticket);
  if (gone) ++counted_.cancelled;
  if (queue_.tickets() == 0) idle_.notify_all();
}

void Lanes::answer(const std::vector<std::unique_ptr<Ticket>>& tickets, Outcome outcome, const std::string& why) {
  const Clock::time_point now = Clock::now();
  for (const auto& ticket : tickets) {
    const Clock::time_point begun = ticket->has_begun ? ticket->begun : now;
    ticket->request.done({.outcome = outcome,
                          .rows = outcome == Outcome::done ? std::move(ticket->rows) : std::vector<Row>(),
                          .why = why,
                          .cached = ticket->cached,
                          .queued = begun - ticket->entered,
                          .computed = now - begun});
  }
}

/// One batch, from the queue to the answers. The lock is held when it is called and when it ends, not in between.
void Lanes::work(std::unique_lock<std::mutex>& lock, std::size_t lane) {
  const Clock::time_point begin = Clock::now();
  std::vector<std::unique_ptr<Ticket>> expired = queue_.remove_expired(begin);
  counted_.expired += expired.size();
  const std::vector<EntryPtr> batch = former_.form(queue_, options_.batch_tokens, begin);
  std::vector<const Input*> inputs;
  std::int64_t tokens = 0;
  for (const EntryPtr& entry : batch) {
    inputs.push_back(entry->input);
    tokens += entry->input->tokens();
  }
  if (!batch.empty()) {
    began_[lane] = begin;
    counted_.last_batch_size = batch.size();
    counted_.last_batch_tokens = tokens;
  }
  ++answering_;
  if (queue_.has_waiting()) there_is_work_.notify_one();
  lock.unlock();

  answer(expired, Outcome::expired);
  std::vector<Row> rows;
  std::string why;
  try {
    if (!batch.empty()) rows = compute_(inputs);
  } catch (const std::exception& error) {
    why = error.what();
  }
  const Clock::time_point end = Clock::now();

  lock.lock();
  std::vector<std::unique_ptr<Ticket>> ready, failed;
  std::vector<std::pair<std::unique_ptr<Ticket>, std::size_t>> not_finite;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (rows.empty()) {
      for (auto& ticket : queue_.give_up(batch[i])) failed.push_back(std::move(ticket));
    } else if (!rows[i]) {
      std::vector<std::size_t> places;
      const Ticket* last = nullptr;
      for (const Entry::Waiter& waiter : batch[i]->waiters) {
        if (std::exchange(last, waiter.ticket) != waiter.ticket) places.push_back(waiter.place);
      }
      std::size_t place = 0;
      for (auto& ticket : queue_.give_up(batch[i])) not_finite.emplace_back(std::move(ticket), places[place++]);
    } else {
      cache_.put(*batch[i]->input, rows[i]);
      queue_.finish(batch[i], rows[i], ready);
    }
  }
  if (!batch.empty()) {
    ++counted_.batches;
    counted_.inputs += batch.size();
    counted_.tokens += static_cast<std::uint64_t>(tokens);
    pace_.measured(tokens, end - begin);
    began_[lane].reset();
  }
  lock.unlock();

  answer(ready, Outcome::done);
  answer(failed, Outcome::failed, why);
  for (auto& [ticket, place] : not_finite) {
    ticket->request.done({.outcome = Outcome::not_finite, .place = place});
  }

  lock.lock();
  --answering_;
  if (queue_.tickets() == 0 && answering_ == 0) idle_.notify_all();
}

void Lanes::run(std::size_t lane) {
  std::unique_lock lock(mutex_);
  while (true) {
    there_is_work_.wait(lock, [this] { return ending_ || queue_.has_waiting(); });
    if (ending_) return;
    work(lock, lane);
  }
}

bool Lanes::drain(Clock::time_point until) {
  std::vector<std::unique_ptr<Ticket>> left;
  {
    std::unique_lock lock(mutex_);
    closed_ = true;
    idle_.wait_until(lock, until, [this] { return queue_.tickets() == 0 && answering_ == 0; });
    left = queue_.remove_all();
  }
  const bool all = left.empty();
  answer(left, Outcome::stopped);
  return all;
}

WorkState Lanes::state() const {
  const std::lock_guard lock(mutex_);
  WorkState state = counted_;
  state.tokens_a_second = pace_.of_a_lane() * options_.lanes;
  for (const Class kind : {Class::interactive, Class::bulk}) {
    const auto i = static_cast<std::size_t>(kind);
    state.waiting_tokens[i] = queue_.waiting_tokens(kind);
    state.expected_wait[i] = std::chrono::duration<double>(expected_wait(queue_, kind, state.tokens_a_second)).count();
  }
  state.tickets = queue_.tickets();
  state.entries = queue_.entries();
  state.cache_bytes = cache_.bytes();
  state.cache_hits = cache_.hits();
  state.cache_misses = cache_.misses();
  return state;
}

Clock::duration Lanes::longest_batch() const {
  const Clock::time_point now = Clock::now();
  Clock::duration longest{};
  const std::lock_guard lock(mutex_);
  for (const auto& began : began_) {
    if (began) longest = std::max(longest, now - *began);
  }
  return longest;
}

}  // namespace sgpt::serve
