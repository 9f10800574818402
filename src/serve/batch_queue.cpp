#include "serve/batch_queue.h"

#include <algorithm>
#include <utility>

namespace sgpt::serve {

std::size_t InputHash::operator()(const Input& input) const {
  std::uint64_t hash = 0x9e3779b97f4a7c15u ^ static_cast<std::uint64_t>(input.skipped);
  for (const std::int32_t id : input.ids) {
    hash = (hash ^ static_cast<std::uint32_t>(id)) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  }
  return static_cast<std::size_t>(hash);
}

Class class_of(std::span<const Input> inputs) {
  if (inputs.size() > kInteractiveInputs) return Class::bulk;
  std::int64_t tokens = 0;
  for (const Input& input : inputs) tokens += input.tokens();
  return tokens <= kInteractiveTokens ? Class::interactive : Class::bulk;
}

void Line::add(Ticket* ticket) {
  later.push_back(ticket);
  refill();
}

void Line::remove(const Ticket* ticket) {
  std::erase(active, ticket);
  std::erase(later, ticket);
  refill();
}

void Line::refill() {
  while (!later.empty() && (turns == 0 || active.size() < turns)) {
    active.push_back(later.front());
    later.pop_front();
  }
}

BatchQueue::BatchQueue() { line(Class::bulk).turns = kBulkTurns; }

TicketId BatchQueue::add(WorkRequest request, std::vector<Row> known, Clock::time_point now) {
  auto owned = std::make_unique<Ticket>();
  Ticket& ticket = *owned;
  ticket.id = next_++;
  ticket.kind = class_of(request.inputs);
  ticket.entered = now;
  ticket.rows = std::move(known);
  for (std::size_t place = 0; place < request.inputs.size(); ++place) {
    if (ticket.rows[place]) {
      ++ticket.cached;
      continue;
    }
    ++ticket.open;
    const auto [at, is_new] = entries_.try_emplace(std::move(request.inputs[place]));
    if (is_new) {
      at->second = std::make_shared<Entry>();
      at->second->input = &at->first;
      at->second->counted_as = ticket.kind;
      waiting(ticket.kind) += at->first.tokens();
    }
    const EntryPtr& entry = at->second;
    const bool again = !entry->waiters.empty() && entry->waiters.back().ticket == &ticket;
    entry->waiters.push_back({&ticket, place});
    if (!is_new) ++ticket.cached;
    if (entry->state != Entry::State::waiting) {
      ticket.has_begun = true;
      ticket.begun = now;
      continue;
    }
    if (ticket.kind == Class::interactive && entry->counted_as == Class::bulk) {
      entry->counted_as = Class::interactive;
      waiting(Class::bulk) -= entry->input->tokens();
      waiting(Class::interactive) += entry->input->tokens();
    }
    if (again) continue;
    ticket.entries.push_back(entry);
    ticket.waiting_tokens += entry->input->tokens();
  }
  request.inputs.clear();
  ticket.request = std::move(request);
  if (!ticket.entries.empty()) line(ticket.kind).add(&ticket);
  const TicketId id = ticket.id;
  tickets_.emplace(id, std::move(owned));
  return id;
}

/// Nobody is to find a pointer to the ticket any more.
void BatchQueue::leave(Ticket& ticket) {
  line(ticket.kind).remove(&ticket);
  for (const EntryPtr& entry : ticket.entries) {
    std::erase_if(entry->waiters, [&](const Entry::Waiter& waiter) { return waiter.ticket == &ticket; });
    if (!entry->waiters.empty() || entry->state != Entry::State::waiting) continue;
    waiting(entry->counted_as) -= entry->input->tokens();
    entry->state = Entry::State::finished;
    entries_.erase(entries_.find(*entry->input));
    entry->input = nullptr;
  }
  ticket.entries.clear();
}

std::unique_ptr<Ticket> BatchQueue::remove(TicketId id) {
  const auto found = tickets_.find(id);
  if (found == tickets_.end()) return nullptr;
  std::unique_ptr<Ticket> ticket = std::move(found->second);
  tickets_.erase(found);
  leave(*ticket);
  if (ticket->open > 0) {  // those being computed: their result is nobody's, or others'
    for (const EntryPtr& entry : in_work_) {
      std::erase_if(entry->waiters, [&](const Entry::Waiter& waiter) { return waiter.ticket == ticket.get(); });
    }
  }
  return ticket;
}

std::vector<std::unique_ptr<Ticket>> BatchQueue::remove_expired(Clock::time_point now) {
  std::vector<TicketId> over;
  for (const auto& [id, ticket] : tickets_) {
    if (ticket->request.deadline <= now) over.push_back(id);
  }
  std::vector<std::unique_ptr<Ticket>> removed;
  for (const TicketId id : over) removed.push_back(remove(id));
  return removed;
}

std::vector<std::unique_ptr<Ticket>> BatchQueue::remove_all() {
  std::vector<std::unique_ptr<Ticket>> removed;
  while (!tickets_.empty()) removed.push_back(remove(tickets_.begin()->first));
  return removed;
}

void BatchQueue::take(const EntryPtr& entry, Clock::time_point now) {
  const std::int64_t tokens = entry->input->tokens();
  entry->state = Entry::State::computing;
  in_work_.push_back(entry);
  waiting(entry->counted_as) -= tokens;
  computing_ += tokens;
  const Ticket* last = nullptr;  // places of one ticket lie side by side
  for (const Entry::Waiter& waiter : entry->waiters) {
    if (waiter.ticket == last) continue;
    last = waiter.ticket;
    waiter.ticket->waiting_tokens -= tokens;
    if (std::exchange(waiter.ticket->has_begun, true)) continue;
    waiter.ticket->begun = now;
  }
}

/// It was computed, or cannot be.
void BatchQueue::forget(const EntryPtr& entry) {
  computing_ -= entry->input->tokens();
  entry->state = Entry::State::finished;
  std::erase(in_work_, entry);
  entries_.erase(entries_.find(*entry->input));
  entry->input = nullptr;
}

void BatchQueue::finish(const EntryPtr& entry, const Row& row, std::vector<std::unique_ptr<Ticket>>& ready) {
  entry->state = Entry::State::finished;
  for (const Entry::Waiter& waiter : std::exchange(entry->waiters, {})) {
    waiter.ticket->rows[waiter.place] = row;
    if (--waiter.ticket->open == 0) ready.push_back(remove(waiter.ticket->id));
  }
  forget(entry);
}

std::vector<std::unique_ptr<Ticket>> BatchQueue::give_up(const EntryPtr& entry) {
  std::vector<std::unique_ptr<Ticket>> failed;
  while (!entry->waiters.empty()) failed.push_back(remove(entry->waiters.front().ticket->id));
  forget(entry);
  return failed;
}

std::vector<std::int64_t> BatchQueue::bulk_tickets() const {
  const Line& line = lines_[static_cast<std::size_t>(Class::bulk)];
  std::vector<std::int64_t> tokens;
  for (const auto* part : {&line.active, &line.later}) {
    for (const Ticket* ticket : *part) tokens.push_back(ticket->waiting_tokens);
  }
  return tokens;
}

}  // namespace sgpt::serve
