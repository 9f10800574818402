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

}  // namespace
}  // namespace sgpt
