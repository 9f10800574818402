// The queue: one entry an input, equal inputs once, and nothing that points to a ticket that is gone.
#include "serve/batch_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/batch_former.h"
#include "work_requests.h"

namespace sgpt::serve {
namespace {

using testing::add;
using testing::at;
using testing::input;
using testing::row_of;

TEST(BatchQueue, AFewShortInputsAreInteractiveAndTheRestIsBulk) {
  EXPECT_EQ(class_of(std::vector{input(1, 256)}), Class::interactive);
  EXPECT_EQ(class_of(std::vector{input(1, 257)}), Class::bulk);
  EXPECT_EQ(class_of(std::vector<Input>(8, input(1, 32))), Class::interactive);
  EXPECT_EQ(class_of(std::vector<Input>(8, input(1, 33))), Class::bulk);
  EXPECT_EQ(class_of(std::vector<Input>(9, input(1, 1))), Class::bulk);
}

TEST(BatchQueue, EqualInputsAreOneEntryThatAllWaitFor) {
  BatchQueue queue;
  BatchFormer former;
  add(queue, {input(1, 5), input(2, 5), input(1, 5)});
  add(queue, {input(2, 5), input(3, 5)});
  Input skipping = input(2, 5);
  skipping.skipped = 1;  // the same ids, but pooled otherwise
  add(queue, {skipping});
  EXPECT_EQ(queue.entries(), 4U);
  EXPECT_EQ(queue.waiting_tokens(Class::interactive), 20);

  const std::vector<EntryPtr> batch = former.form(queue, 100, at(3));
  ASSERT_EQ(batch.size(), 4U);
  EXPECT_FALSE(queue.has_waiting());
  EXPECT_EQ(queue.computing_tokens(), 20);
  const TicketId late = add(queue, {input(3, 5)}, 4);  // joins what is being computed
  EXPECT_FALSE(queue.has_waiting());
  EXPECT_TRUE(former.form(queue, 100, at(4)).empty());

  std::vector<std::unique_ptr<Ticket>> ready;
  for (const EntryPtr& entry : batch) {
    const auto value = static_cast<float>(entry->input->ids.front() + 10 * entry->input->skipped);
    queue.finish(entry, row_of(value), ready);
  }
  ASSERT_EQ(ready.size(), 4U);
  EXPECT_EQ(queue.tickets(), 0U);
  EXPECT_EQ(queue.entries(), 0U);
  EXPECT_EQ(queue.computing_tokens(), 0);
  std::map<TicketId, std::vector<float>> rows;
  for (const auto& ticket : ready) {
    for (const Row& row : ticket->rows) rows[ticket->id].push_back(row->front());
  }
  EXPECT_THAT(rows, ::testing::ElementsAre(
                        ::testing::Pair(1, std::vector<float>{1, 2, 1}), ::testing::Pair(2, std::vector<float>{2, 3}),
                        ::testing::Pair(3, std::vector<float>{12}), ::testing::Pair(late, std::vector<float>{3})));
}

TEST(BatchQueue, KnownRowsNeedNoComputing) {
  BatchQueue queue;
  BatchFormer former;
  queue.add(testing::request({input(1, 5), input(2, 6)}), {row_of(9), nullptr}, at(0));
  EXPECT_EQ(queue.waiting_tokens(Class::interactive), 6);
  const auto batch = former.form(queue, 100, at(1));
  ASSERT_EQ(batch.size(), 1U);
  std::vector<std::unique_ptr<Ticket>> ready;
  queue.finish(batch[0], row_of(2), ready);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0]->rows[0]->front(), 9);
  EXPECT_EQ(ready[0]->rows[1]->front(), 2);
  EXPECT_EQ(ready[0]->cached, 1U);
  EXPECT_EQ(ready[0]->begun, at(1));
}

TEST(BatchQueue, WhatOnlyAGoneTicketWaitsForIsNotComputed) {
  BatchQueue queue;
  BatchFormer former;
  const TicketId first = add(queue, {input(1, 5), input(2, 5)});
  const TicketId second = add(queue, {input(2, 5)});
  EXPECT_NE(queue.remove(first), nullptr);
  EXPECT_EQ(queue.remove(first), nullptr);
  EXPECT_EQ(queue.waiting_tokens(Class::interactive), 5);
  const auto batch = former.form(queue, 100, at(0));
  ASSERT_EQ(batch.size(), 1U);
  EXPECT_EQ(batch[0]->input->ids.front(), 2);
  EXPECT_NE(queue.remove(second), nullptr);  // while it is computed
  std::vector<std::unique_ptr<Ticket>> ready;
  queue.finish(batch[0], row_of(1), ready);
  EXPECT_TRUE(ready.empty());
  EXPECT_EQ(queue.entries(), 0U);
}

TEST(BatchQueue, ADeadlineTakesATicketOutAndAFailureAllThatWaitForIt) {
  BatchQueue queue;
  BatchFormer former;
  WorkRequest hurried = testing::request({input(1, 5)});
  hurried.deadline = at(10);
  const TicketId id = queue.add(std::move(hurried), testing::nothing_known(1), at(0));
  add(queue, {input(2, 5), input(3, 5)});
  add(queue, {input(3, 5)});
  EXPECT_TRUE(queue.remove_expired(at(9)).empty());
  const auto expired = queue.remove_expired(at(10));
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired[0]->id, id);

  const auto batch = former.form(queue, 100, at(11));
  ASSERT_EQ(batch.size(), 2U);
  EXPECT_EQ(queue.give_up(batch[1]).size(), 2U);
  std::vector<std::unique_ptr<Ticket>> ready;
  queue.finish(batch[0], row_of(1), ready);
  EXPECT_TRUE(ready.empty());
  EXPECT_EQ(queue.tickets(), 0U);
  EXPECT_EQ(queue.computing_tokens(), 0);
}

TEST(BatchQueue, AnInteractiveRequestLiftsABulkEntryThatItWaitsForToo) {
  BatchQueue queue;
  std::vector<Input> many;
  for (int i = 0; i < 20; ++i) many.push_back(input(i, 30));
  add(queue, many);
  EXPECT_EQ(queue.waiting_tokens(Class::bulk), 600);
  add(queue, {input(19, 30)});
  EXPECT_EQ(queue.waiting_tokens(Class::bulk), 570);
  EXPECT_EQ(queue.waiting_tokens(Class::interactive), 30);
  BatchFormer former;
  const auto batch = former.form(queue, 40, at(0));
  ASSERT_EQ(batch.size(), 1U);  // the quarter that bulk is owed goes first: 10 tokens, hence one entry
  std::vector<EntryPtr> second = former.form(queue, 40, at(0));
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0]->input->ids.front(), 19);
}

}  // namespace
}  // namespace sgpt::serve
