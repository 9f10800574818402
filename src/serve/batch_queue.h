// Inputs that wait to be computed. An entry is one input, not one request: a request of 2,048 texts is 2,048 entries of
// one ticket. Equal inputs are one entry that several tickets wait for. No thread, no lock, and no clock of its own.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "serve/work.h"

namespace sgpt::serve {

enum class Class {
  interactive,  ///< few inputs and few tokens: somebody waits for the answer
  bulk,
};
inline constexpr std::size_t kInteractiveInputs = 8;
inline constexpr std::int64_t kInteractiveTokens = 256;

/// Bulk requests that take turns; later ones wait for one of them to end.
inline constexpr std::size_t kBulkTurns = 4;

Class class_of(std::span<const Input> inputs);

struct Ticket;

/// An input and who waits for it.
struct Entry {
  enum class State { waiting, computing, finished };
  struct Waiter {
    Ticket* ticket;
    std::size_t place;  ///< of the input in its request
  };

  const Input* input = nullptr;  ///< the key in the queue's table
  Class counted_as = Class::bulk;
  State state = State::waiting;
  int passed_over = 0;  ///< batches that it did not fit into while others did
  std::uint64_t passed_over_in = 0;
  std::vector<Waiter> waiters;
};
using EntryPtr = std::shared_ptr<Entry>;

/// A request.
struct Ticket {
  TicketId id = 0;
  Class kind = Class::bulk;
  Clock::time_point entered{}, begun{};
  bool has_begun = false;
  WorkRequest request;
  std::vector<Row> rows;
  std::deque<EntryPtr> entries;     ///< those that wait, and maybe some that no longer do
  std::int64_t waiting_tokens = 0;  ///< of those that wait
  std::size_t open = 0;             ///< inputs without a row
  std::size_t cached = 0;
};

/// The tickets of one class with entries that wait, in the order in which they take turns.
struct Line {
  std::size_t turns = 0;           ///< how many take turns; 0: all
  std::deque<Ticket*> active;      ///< the next one in front
  std::deque<Ticket*> later = {};  ///< oldest first

  void add(Ticket* ticket);
  void remove(const Ticket* ticket);
  void refill();
};

class BatchQueue {
 public:
  BatchQueue();

  /// Takes a request whose `known` rows (null: not known) need no computing; at least one must be null.
  TicketId add(WorkRequest request, std::vector<Row> known, Clock::time_point now);

  /// Takes a ticket and what only it waits for out. Null when there is none of that number (any more).
  std::unique_ptr<Ticket> remove(TicketId ticket);
  /// The tickets whose deadline is over, taken out.
  std::vector<std::unique_ptr<Ticket>> remove_expired(Clock::time_point now);
  std::vector<std::unique_ptr<Ticket>> remove_all();

  /// An entry that waits goes into a batch.
  void take(const EntryPtr& entry, Clock::time_point now);

  /// The row of an entry is there. Appends the tickets that lack nothing any more, taken out, to `ready`.
  void finish(const EntryPtr& entry, const Row& row, std::vector<std::unique_ptr<Ticket>>& ready);
  /// An entry cannot be computed: all that wait for it, taken out.
  std::vector<std::unique_ptr<Ticket>> give_up(const EntryPtr& entry);

  bool has_waiting() const { return waiting_tokens(Class::interactive) + waiting_tokens(Class::bulk) > 0; }
  std::size_t tickets() const { return tickets_.size(); }
  std::size_t entries() const { return entries_.size(); }
  std::int64_t waiting_tokens(Class kind) const { return waiting_[static_cast<std::size_t>(kind)]; }
  std::int64_t computing_tokens() const { return computing_; }
  /// Tokens that wait, of each bulk ticket, in the order in which they have their turns.
  std::vector<std::int64_t> bulk_tickets() const;

  Line& line(Class kind) { return lines_[static_cast<std::size_t>(kind)]; }

 private:
  std::int64_t& waiting(Class kind) { return waiting_[static_cast<std::size_t>(kind)]; }
  void leave(Ticket& ticket);
  void forget(const EntryPtr& entry);

  std::map<TicketId, std::unique_ptr<Ticket>> tickets_;
  std::unordered_map<Input, EntryPtr, InputHash> entries_;
  std::vector<EntryPtr> in_work_;  // being computed
  std::array<Line, 2> lines_;
  std::array<std::int64_t, 2> waiting_{};
  std::int64_t computing_ = 0;
  TicketId next_ = 1;
};

}  // namespace sgpt::serve
