// The generator's published numbers, and what is built on them.
#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace sgpt {
namespace {

TEST(Random, GivesThePublishedNumbers) {
  // The demonstration of pcg32 with seed 42 and stream 54 (pcg-random.org) starts so.
  Random random(42, 54);
  for (const std::uint32_t expected : {0xa15c02b7u, 0x7b47f409u, 0xba1d3330u, 0x83d2f293u, 0xbfa4784bu, 0xcbed606eu}) {
    EXPECT_EQ(random.next(), expected);
  }
}

TEST(Random, ShufflesToAPermutationAndContinuesFromItsState) {
  std::vector<int> items(1000);
  std::iota(items.begin(), items.end(), 0);
  Random random(7);
  const auto state = random.state();
  auto first = items;
  random.shuffle(std::span(first));
  EXPECT_NE(first, items);
  auto second = items;
  random.set_state(state);
  random.shuffle(std::span(second));
  EXPECT_EQ(first, second);
  std::sort(first.begin(), first.end());
  EXPECT_EQ(first, items);
}

TEST(Random, NormalNumbersHaveMeanZeroAndVarianceOne) {
  Random random(1);
  double sum = 0, squares = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(squares / kCount, 1, 0.02);
}

}  // namespace
}  // namespace sgpt
