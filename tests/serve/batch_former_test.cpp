// Batches: who comes first, shares, turns, and that nobody waits for ever. Random histories with a clock of their own.
#include "serve/batch_former.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "work_requests.h"

namespace sgpt::serve {
namespace {

using testing::add;
using testing::at;
using testing::input;
using testing::row_of;

std::vector<std::int32_t> names_of(const std::vector<EntryPtr>& batch) {
  std::vector<std::int32_t> names;
  for (const EntryPtr& entry : batch) names.push_back(entry->input->ids.front());
  return names;
}

std::int64_t tokens_of(const std::vector<EntryPtr>& batch) {
  return std::accumulate(batch.begin(), batch.end(), std::int64_t{0},
                         [](std::int64_t sum, const EntryPtr& entry) { return sum + entry->input->tokens(); });
}

std::vector<Input> list(std::int32_t first, std::size_t count, std::int64_t tokens) {
  std::vector<Input> inputs;
  for (std::size_t i = 0; i < count; ++i) inputs.push_back(input(first + static_cast<std::int32_t>(i), tokens));
  return inputs;
}

TEST(BatchFormer, InteractiveRequestsTakeTurnsAnInputEach) {
  BatchQueue queue;
  BatchFormer former;
  add(queue, list(10, 3, 10));
  add(queue, list(20, 2, 10));
  add(queue, list(30, 1, 10));
  EXPECT_EQ(names_of(former.form(queue, 40, at(0))), (std::vector<std::int32_t>{10, 20, 30, 11}));
  EXPECT_EQ(names_of(former.form(queue, 40, at(0))), (std::vector<std::int32_t>{21, 12}));
  EXPECT_TRUE(former.form(queue, 40, at(0)).empty());
}

TEST(BatchFormer, TheFourOldestBulkRequestsTakeTurns) {
  BatchQueue queue;
  BatchFormer former;
  for (int i = 1; i <= 6; ++i) add(queue, list(100 * i, 9 + (i == 1 ? 0U : 10U), 10));
  EXPECT_EQ(names_of(former.form(queue, 80, at(0))),
            (std::vector<std::int32_t>{100, 200, 300, 400, 101, 201, 301, 401}));
  for (int i = 0; i < 3; ++i) former.form(queue, 80, at(0));
  // The first one has one input left; then the fifth has its turn.
  EXPECT_EQ(names_of(former.form(queue, 80, at(0))),
            (std::vector<std::int32_t>{108, 208, 308, 408, 500, 209, 309, 409}));
}

TEST(BatchFormer, AnInputThatIsLongerThanTheBudgetGoesAlone) {
  BatchQueue queue;
  BatchFormer former;
  add(queue, {input(1, 500)});
  add(queue, {input(2, 5)});
  EXPECT_EQ(names_of(former.form(queue, 100, at(0))), (std::vector<std::int32_t>{1}));  // bulk's share is due
  EXPECT_EQ(names_of(former.form(queue, 100, at(0))), (std::vector<std::int32_t>{2}));
}

TEST(BatchFormer, WhatWasPassedOverTwiceGoesFirst) {
  BatchQueue queue;
  BatchFormer former;
  add(queue, {input(10, 40), input(12, 40), input(13, 40)});
  add(queue, {input(9, 100)});
  add(queue, {input(11, 40), input(14, 40), input(15, 40)});
  EXPECT_EQ(names_of(former.form(queue, 100, at(0))), (std::vector<std::int32_t>{10, 11}));
  EXPECT_EQ(names_of(former.form(queue, 100, at(0))), (std::vector<std::int32_t>{12, 14}));
  EXPECT_EQ(names_of(former.form(queue, 100, at(0))), (std::vector<std::int32_t>{9}));
  EXPECT_EQ(names_of(former.form(queue, 100, at(0))), (std::vector<std::int32_t>{15, 13}));
}

/// Random requests come and go for a thousand batches. Nothing is lost, answered twice or kept; batches keep their
/// budget; bulk has its share of any ten batches in which both waited, but for half a batch and an entry (that
/// it may be owed, and that did not fit); an entry is passed over a bounded number of times.
TEST(BatchFormer, HoldsItsPromisesInRandomHistories) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t n) { return static_cast<std::int64_t>(random() % n); };
    const std::int64_t budget = 100 + below(400), longest = 100;
    BatchQueue queue;
    BatchFormer former;
    std::int32_t name = 1;
    std::map<TicketId, std::size_t> open;  // inputs of each ticket
    std::size_t answered = 0, cancelled = 0, added = 0;
    std::vector<std::pair<std::int64_t, std::int64_t>> shares;  // all tokens, bulk's, of batches where both waited
    for (int step = 0; step < 1000; ++step) {
      for (std::int64_t requests = below(4); requests > 0; --requests) {
        std::vector<Input> inputs;
        const bool bulk = random() % 8 == 0;
        for (std::int64_t i = bulk ? 9 + below(30) : 1 + below(3); i > 0; --i) {
          const bool again = random() % 10 == 0;  // may equal another one
          inputs.push_back(input(again ? 1 + static_cast<std::int32_t>(below(static_cast<std::size_t>(name))) : name++,
                                 again ? 20 : 1 + below(static_cast<std::size_t>(bulk ? longest : 60))));
        }
        const std::size_t count = inputs.size();
        open[add(queue, std::move(inputs), step)] = count;
        ++added;
      }
      if (!open.empty() && random() % 10 == 0) {
        const TicketId id = std::next(open.begin(), below(open.size()))->first;
        ASSERT_NE(queue.remove(id), nullptr);
        open.erase(id);
        ++cancelled;
      }
      const bool both = queue.waiting_tokens(Class::interactive) > 0 && queue.waiting_tokens(Class::bulk) > 0;
      const bool any = queue.has_waiting();
      const auto batch = former.form(queue, budget, at(step));
      ASSERT_EQ(batch.empty(), !any);
      ASSERT_LE(tokens_of(batch), budget);
      std::int64_t bulk = 0;
      for (const EntryPtr& entry : batch) {
        ASSERT_LE(entry->passed_over, BatchFormer::kPassedOver + 40) << "starves";
        if (entry->counted_as == Class::bulk) bulk += entry->input->tokens();
      }
      if (both && queue.waiting_tokens(Class::bulk) > 0) shares.emplace_back(tokens_of(batch), bulk);
      std::vector<std::unique_ptr<Ticket>> ready;
      for (const EntryPtr& entry : batch) queue.finish(entry, row_of(1), ready);
      for (const auto& ticket : ready) {
        const auto found = open.find(ticket->id);
        ASSERT_NE(found, open.end()) << "answered twice, or after it was cancelled";
        ASSERT_EQ(ticket->rows.size(), found->second);
        for (const Row& row : ticket->rows) ASSERT_NE(row, nullptr);
        open.erase(found);
        ++answered;
      }
    }
    while (queue.has_waiting()) {
      std::vector<std::unique_ptr<Ticket>> ready;
      for (const EntryPtr& entry : former.form(queue, budget, at(1000))) queue.finish(entry, row_of(1), ready);
      for (const auto& ticket : ready) open.erase(ticket->id);
      answered += ready.size();
    }
    EXPECT_TRUE(open.empty()) << "seed " << seed;
    EXPECT_EQ(answered + cancelled, added);
    EXPECT_EQ(queue.tickets(), 0U);
    EXPECT_EQ(queue.entries(), 0U);
    EXPECT_EQ(queue.waiting_tokens(Class::interactive), 0);
    EXPECT_EQ(queue.waiting_tokens(Class::bulk), 0);
    for (std::size_t i = 0; i + 10 < shares.size(); ++i) {
      std::int64_t all = 0, bulk = 0;
      for (std::size_t k = i; k < i + 10; ++k) all += shares[k].first, bulk += shares[k].second;
      ASSERT_GE(BatchFormer::kShare * (bulk + budget / 2 + longest), all) << "seed " << seed << ", batches from " << i;
    }
  }
}

}  // namespace
}  // namespace sgpt::serve
