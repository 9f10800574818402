// Lanes with a model of the test's own: an input's row is its first id.
#include "serve/lanes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <random>

#include "work_requests.h"

namespace sgpt::serve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::input;
using testing::row_of;

std::vector<Row> first_ids(std::span<const Input* const> inputs) {
  std::vector<Row> rows;
  for (const Input* input : inputs) rows.push_back(row_of(static_cast<float>(input->ids.front())));
  return rows;
}

/// A model that waits until it is let go.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_for_arrival() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return arrived_ > 0; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool open_ = false;
};

/// Submits, and gives what `done` will be called with.
std::future<WorkResult> submit(Lanes& lanes, std::vector<Input> inputs, TicketId* id = nullptr,
                               Clock::time_point deadline = kNever) {
  auto promise = std::make_shared<std::promise<WorkResult>>();
  WorkRequest request = testing::request(std::move(inputs));
  request.deadline = deadline;
  request.done = [promise](WorkResult result) { promise->set_value(std::move(result)); };
  const auto answer = lanes.submit(std::move(request));
  EXPECT_TRUE(std::holds_alternative<TicketId>(answer));
  if (id && std::holds_alternative<TicketId>(answer)) *id = std::get<TicketId>(answer);
  return promise->get_future();
}

std::vector<float> values(const WorkResult& result) {
  std::vector<float> values;
  for (const Row& row : result.rows) values.push_back(row->front());
  return values;
}

TEST(Lanes, ManyRequestsFromManyThreadsEachGetTheirOwnRows) {
  for (const int count : {1, 2, 3}) {
    for (const std::size_t cache : {0U, 100000U}) {
      Lanes lanes(first_ids, {.lanes = count, .batch_tokens = 64, .tokens_a_second = 1e9, .cache_bytes = cache});
      std::vector<std::thread> clients;
      for (unsigned client = 0; client < 8; ++client) {
        clients.emplace_back([&, client] {
          std::mt19937 random(client);
          for (int i = 0; i < 100; ++i) {
            std::vector<Input> inputs;
            std::vector<float> expected;
            for (std::size_t k = 1 + random() % 20; k > 0; --k) {
              inputs.push_back(
                  input(static_cast<std::int32_t>(random() % 50), 1 + static_cast<std::int64_t>(random() % 3)));
              expected.push_back(static_cast<float>(inputs.back().ids.front()));
            }
            TicketId id = 0;
            auto result = submit(lanes, std::move(inputs), &id);
            if (random() % 10 == 0) {
              lanes.cancel(id);
              continue;
            }
            EXPECT_EQ(values(result.get()), expected);
          }
        });
      }
      for (std::thread& client : clients) client.join();
      EXPECT_TRUE(lanes.drain(Clock::now() + seconds(10)));
      EXPECT_EQ(lanes.state().entries, 0U);
      EXPECT_EQ(lanes.state().cache_hits > 0, cache > 0);
    }
  }
}

TEST(Lanes, ARowThatIsNotFiniteFailsThoseThatWaitForItAndNamesItsPlace) {
  Lanes lanes(
      [](std::span<const Input* const> inputs) {
        auto rows = first_ids(inputs);
        for (Row& row : rows) {
          if (row->front() == 13) row = nullptr;
        }
        return rows;
      },
      {.tokens_a_second = 1e9});
  const WorkResult bad = submit(lanes, {input(1, 1), input(2, 1), input(13, 1)}).get();
  EXPECT_EQ(bad.outcome, Outcome::not_finite);
  EXPECT_EQ(bad.place, 2U);
  EXPECT_EQ(values(submit(lanes, {input(1, 1), input(2, 1)}).get()), (std::vector<float>{1, 2}));
}

TEST(Lanes, AnExceptionOfTheModelIsTold) {
  Lanes lanes([](auto) -> std::vector<Row> { throw std::runtime_error("no memory"); }, {.tokens_a_second = 1e9});
  const WorkResult failed = submit(lanes, {input(1, 1)}).get();
  EXPECT_EQ(failed.outcome, Outcome::failed);
  EXPECT_EQ(failed.why, "no memory");
}

TEST(Lanes, TooLongAWaitIsRefusedAndWhatIsOverIsNotComputed) {
  Gate gate;
  std::atomic<int> computed = 0;
  Lanes lanes(
      [&](std::span<const Input* const> inputs) {
        gate.wait();
        computed += static_cast<int>(inputs.size());
        return first_ids(inputs);
      },
      {.batch_tokens = 10, .tokens_a_second = 10, .admission = {.max_wait = seconds(2)}});
  auto first = submit(lanes, {input(1, 10)});
  gate.wait_for_arrival();
  auto late = submit(lanes, {input(2, 5)}, nullptr, Clock::now() - milliseconds(1));
  TicketId id = 0;
  auto gone = submit(lanes, {input(3, 5)}, &id);
  WorkRequest more = testing::request({input(4, 1)});
  more.done = [](const WorkResult&) { ADD_FAILURE() << "was not accepted"; };
  const auto answer = lanes.submit(more);  // 10 being computed, 10 waiting: two seconds are too close
  EXPECT_TRUE(std::holds_alternative<TicketId>(answer)) << "exactly the limit is let in";
  lanes.cancel(std::get<TicketId>(answer));
  auto filling = submit(lanes, {input(5, 1)});
  const auto refused = lanes.submit(more);
  ASSERT_TRUE(std::holds_alternative<Refusal>(refused));
  EXPECT_EQ(std::get<Refusal>(refused).why, Refusal::Why::too_long_a_wait);
  EXPECT_GT(std::get<Refusal>(refused).expected, seconds(2));
  lanes.cancel(id);
  gate.open();
  EXPECT_EQ(values(first.get()), (std::vector<float>{1}));
  EXPECT_EQ(values(filling.get()), (std::vector<float>{5}));
  EXPECT_EQ(late.get().outcome, Outcome::expired);
  EXPECT_TRUE(lanes.drain(Clock::now() + seconds(10)));
  EXPECT_EQ(computed, 2);
  EXPECT_EQ(lanes.state().cancelled, 2U);
  EXPECT_EQ(lanes.state().expired, 1U);
  EXPECT_THROW(gone.get(), std::future_error);  // its promise went without an answer
}

TEST(Lanes, DrainFinishesWhatWasAcceptedAndTakesNoMore) {
  Gate gate;
  Lanes lanes(
      [&](std::span<const Input* const> inputs) {
        gate.wait();
        return first_ids(inputs);
      },
      {.tokens_a_second = 1e9});
  auto accepted = submit(lanes, {input(1, 1)});
  gate.wait_for_arrival();
  EXPECT_GE(lanes.longest_batch(), Clock::duration{});
  auto waiting = submit(lanes, {input(2, 1)});
  EXPECT_FALSE(lanes.drain(Clock::now() + milliseconds(20)));
  EXPECT_EQ(accepted.get().outcome, Outcome::stopped);
  EXPECT_EQ(waiting.get().outcome, Outcome::stopped);
  const auto answer = lanes.submit(testing::request({input(3, 1)}));
  ASSERT_TRUE(std::holds_alternative<Refusal>(answer));
  EXPECT_EQ(std::get<Refusal>(answer).why, Refusal::Why::stopping);
  gate.open();
}

}  // namespace
}  // namespace sgpt::serve
