#include "serve/batch_former.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace sgpt::serve {

struct BatchFormer::Batch {
  BatchQueue& queue;
  std::int64_t budget;
  Clock::time_point now;
  std::vector<EntryPtr> entries = {};
  Tokens tokens = {};
  std::vector<EntryPtr> skipped = {};  // they did not fit; passed over as soon as a later one does

  bool fits(const Entry& entry) const {
    return entries.empty() || tokens.interactive + tokens.bulk + entry.input->tokens() <= budget;
  }
  void take(const EntryPtr& entry) {
    (entry->counted_as == Class::bulk ? tokens.bulk : tokens.interactive) += entry->input->tokens();
    queue.take(entry, now);
    entries.push_back(entry);
  }
};

/// Bulk's tokens in the coming batch, so that it has its share of this one and those before.
std::int64_t BatchFormer::owed_to_bulk(std::int64_t budget) const {
  std::int64_t all = budget, bulk = 0;
  for (const Tokens& batch : history_) {
    all += batch.interactive + batch.bulk;
    bulk += batch.bulk;
  }
  return std::clamp<std::int64_t>((all + kShare - 1) / kShare - bulk, 0, budget);
}

void BatchFormer::take_seniors(Batch& batch, std::size_t most) {
  std::deque<EntryPtr> still;
  for (const EntryPtr& entry : seniors_) {
    if (entry->state != Entry::State::waiting) continue;
    if (most > 0 && batch.fits(*entry)) {
      batch.take(entry);
      --most;
    } else {
      still.push_back(entry);
    }
  }
  seniors_ = std::move(still);
}

/// Of those that the ticket waits for; what nobody has to compute any more is dropped on the way.
EntryPtr BatchFormer::first_fitting(Ticket& ticket, Batch& batch) {
  std::size_t seen = 0;
  for (auto at = ticket.entries.begin(); at != ticket.entries.end() && seen < kLookAhead;) {
    const EntryPtr entry = *at;
    if (entry->state != Entry::State::waiting) {
      // One that is being computed stays in the ticket's hands through its list of waiters.
      at = ticket.entries.erase(at);
      continue;
    }
    if (batch.fits(*entry)) {
      ticket.entries.erase(at);
      return entry;
    }
    batch.skipped.push_back(entry);
    ++seen;
    ++at;
  }
  return nullptr;
}

void BatchFormer::pass_over(Batch& batch) {
  for (const EntryPtr& entry : batch.skipped) {
    if (std::exchange(entry->passed_over_in, number_) == number_) continue;
    if (++entry->passed_over == kPassedOver) seniors_.push_back(entry);
  }
  batch.skipped.clear();
}

/// In turns, until `wanted` tokens are in or nothing fits.
void BatchFormer::fill(Batch& batch, Class kind, std::int64_t wanted) {
  Line& line = batch.queue.line(kind);
  const std::int64_t& mine = kind == Class::bulk ? batch.tokens.bulk : batch.tokens.interactive;
  std::size_t in_vain = 0;
  while (mine < wanted && in_vain < line.active.size()) {
    Ticket* ticket = line.active.front();
    line.active.pop_front();
    const EntryPtr entry = first_fitting(*ticket, batch);
    if (entry) {
      batch.take(entry);
      pass_over(batch);
    }
    in_vain = entry ? 0 : in_vain + 1;
    if (!ticket->entries.empty()) {
      line.active.push_back(ticket);
    } else {
      line.refill();
      in_vain = 0;
    }
  }
}

std::vector<EntryPtr> BatchFormer::form(BatchQueue& queue, std::int64_t budget, Clock::time_point now) {
  ++number_;
  const bool both = queue.waiting_tokens(Class::interactive) > 0 && queue.waiting_tokens(Class::bulk) > 0;
  Batch batch{queue, budget, now};
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
  // The oldest of those that were passed over goes first, so that it ends some day, unless bulk has waited longer for
  // its share than that allows.
  const std::int64_t owed = both ? owed_to_bulk(budget) : 0;
  if (2 * owed < budget) take_seniors(batch, 1);
  if (both) fill(batch, Class::bulk, owed);
  take_seniors(batch, seniors_.size());
  fill(batch, Class::interactive, kAll);
  fill(batch, Class::bulk, kAll);
  if (both && queue.waiting_tokens(Class::bulk) > 0) {  // else bulk has all that it wants
    history_.push_back(batch.tokens);
    if (history_.size() >= kShareBatches) history_.pop_front();
  }
  return std::move(batch.entries);
}

}  // namespace sgpt::serve
