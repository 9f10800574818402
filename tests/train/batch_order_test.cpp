#include "train/batch_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace sgpt {
namespace {

std::vector<std::int64_t> one_pass(BatchOrder& order, std::int64_t pass) {
  std::vector<std::int64_t> seen;
  for (std::int64_t i = 0; i < order.batches(); ++i) {
    const BatchOrder::Batch batch = order.batch(pass * order.batches() + i);
    EXPECT_EQ(batch.visit, pass);
    seen.insert(seen.end(), batch.examples.begin(), batch.examples.end());
  }
  return seen;
}

std::vector<std::int64_t> counting(std::int64_t n) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

TEST(BatchOrder, KeepsTheRaggedLastBatch) {
  BatchOrder order(10, {.batch_size = 4});
  EXPECT_EQ(order.batches(), 3);
  EXPECT_EQ(order.batch(0).examples.size(), 4u);
  EXPECT_EQ(order.batch(2).examples.size(), 2u);
  EXPECT_EQ(BatchOrder(499184, {.batch_size = 32}).batches(), 15600);
  EXPECT_EQ(BatchOrder(3, {.batch_size = 64}).batches(), 1);
}

TEST(BatchOrder, EveryPassHasEveryExampleOnceInAnotherOrder) {
  BatchOrder order(100, {.batch_size = 7, .seed = 5});
  std::vector<std::int64_t> first = one_pass(order, 0);
  std::vector<std::int64_t> second = one_pass(order, 1);
  EXPECT_NE(first, second);
  EXPECT_NE(first, counting(100));
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  EXPECT_EQ(first, counting(100));
  EXPECT_EQ(second, counting(100));
}

TEST(BatchOrder, DependsOnSeedAndStepAlone) {
  BatchOrder straight(100, {.batch_size = 7, .seed = 5});
  const std::vector<std::int64_t> third = (one_pass(straight, 0), one_pass(straight, 1), one_pass(straight, 2));
  BatchOrder resumed(100, {.batch_size = 7, .seed = 5});
  EXPECT_EQ(one_pass(resumed, 2), third);
  BatchOrder other(100, {.batch_size = 7, .seed = 6});
  EXPECT_NE(one_pass(other, 2), third);
}

TEST(BatchOrder, WithoutShufflingTheDataOrderIsKept) {
  BatchOrder order(10, {.batch_size = 4, .shuffle = false});
  EXPECT_EQ(one_pass(order, 0), counting(10));
  EXPECT_EQ(one_pass(order, 3), counting(10));
}

/// Example i has a query of its own, and one of `answers` positives.
BatchOrder::Options without_duplicates(std::int64_t batch_size, std::uint64_t answers) {
  BatchOrder::Options options{.batch_size = batch_size, .seed = 3};
  options.texts = [answers](std::int64_t example, std::int64_t, std::vector<std::uint64_t>& hashes) {
    hashes.push_back(1000 + static_cast<std::uint64_t>(example));
    hashes.push_back(static_cast<std::uint64_t>(example) % answers);
  };
  options.no_duplicates = true;
  return options;
}

TEST(BatchOrder, WithoutDuplicatesNoTextStandsTwiceInAStep) {
  BatchOrder order(103, without_duplicates(8, 12));
  EXPECT_EQ(order.batches(), 13);
  for (const std::int64_t pass : {0, 1}) {
    std::vector<std::int64_t> seen = one_pass(order, pass);
    EXPECT_EQ(std::ssize(seen) + order.left_over(pass), 103);
    EXPECT_LT(order.left_over(pass), 8);
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
    for (std::int64_t i = 0; i < order.batches(); ++i)
      EXPECT_EQ(order.with_wrong_negatives(pass * order.batches() + i), 0);
  }
  // The order that the shuffle gave is kept, but for those that must wait for the next step.
  BatchOrder plain(103, {.batch_size = 8, .seed = 3});
  EXPECT_EQ(order.of_all_ranks(0).front(), plain.of_all_ranks(0).front());
  BatchOrder again(103, without_duplicates(8, 12));
  EXPECT_EQ(one_pass(again, 1), one_pass(order, 1));
}

TEST(BatchOrder, RanksShareAStepWithoutDuplicatesAsOneProcessHasIt) {
  BatchOrder::Options options = without_duplicates(8, 12);
  BatchOrder one(103, options);
  options.batch_size = 4;
  options.ranks = 2;
  BatchOrder first(103, options);
  options.rank = 1;
  BatchOrder second(103, options);
  for (std::int64_t step = 0; step < 2 * one.batches(); ++step) {
    const auto whole = one.of_all_ranks(step);
    const auto a = first.batch(step).examples;
    const auto b = second.batch(step).examples;
    std::vector<std::int64_t> together(a.begin(), a.end());
    together.insert(together.end(), b.begin(), b.end());
    EXPECT_EQ(together, std::vector<std::int64_t>(whole.begin(), whole.end()));
  }
}

TEST(BatchOrder, ExamplesThatAllShareATextStandAlone) {
  BatchOrder order(20, without_duplicates(4, 1));
  EXPECT_EQ(order.batches(), 5);
  EXPECT_EQ(order.left_over(0), 15);
  for (std::int64_t step = 0; step < 5; ++step) EXPECT_EQ(order.batch(step).examples.size(), 1u);
}

TEST(BatchOrder, CountsTheExamplesThatHaveAWrongNegative) {
  BatchOrder order(
      4, {.batch_size = 4, .texts = [](std::int64_t example, std::int64_t, std::vector<std::uint64_t>& hashes) {
            // Query, positive, negative: the last two share a negative, which does no harm.
            const std::vector<std::uint64_t> texts[] = {{1, 11, 21}, {2, 12, 11}, {3, 13, 23}, {4, 14, 23}};
            const auto& of_it = texts[example];
            hashes.insert(hashes.end(), of_it.begin(), of_it.end());
          }});
  EXPECT_EQ(order.with_wrong_negatives(0), 1);
  EXPECT_EQ(order.left_over(0), 0);
}

}  // namespace
}  // namespace sgpt
