// Round numbers along an axis.
#include "train/watch/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sgpt {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> labels(double low, double high) {
  std::vector<std::string> found;
  for (const Tick& tick : ticks({low, high})) found.push_back(tick.label);
  return found;
}

TEST(Axis, TicksAreRoundNumbers) {
  EXPECT_THAT(labels(0, 1), ElementsAre("0", "0.5", "1"));
  EXPECT_THAT(labels(0, 900), ElementsAre("0", "200", "400", "600", "800"));
  EXPECT_THAT(labels(-0.3, 0.3), ElementsAre("-0.2", "0", "0.2"));
  EXPECT_THAT(labels(0, 2.1e-9), ElementsAre("0", "1e-9", "2e-9"));
  EXPECT_THAT(labels(9.9e8, 1.01e9), ElementsAre("990M", "1G", "1.01G"));
}

TEST(Axis, ThreeToSevenTicksThatReadDifferently) {
  for (const double size : {1e-299, 1e-30, 1e-9, 1e-4, 0.7, 1.0, 2.302585, 9999.0, 1e4, 123456.0, 1e9, 1e15, 1e200}) {
    for (const double sign : {-1.0, 1.0}) {
      for (const double width : {0.0, 1e-16, 1e-12, 1e-6, 1e-3, 0.013, 0.1, 1.0, 1.9, 40.0}) {
        const std::vector<double> values{sign * size, sign * size + size * width};
        const Range range = range_of(values);
        const std::vector<Tick> found = ticks(range);
        std::set<std::string> read;
        for (const Tick& tick : found) {
          read.insert(tick.label);
          EXPECT_GT(range.part_of(tick.value), -1e-6);
          EXPECT_LT(range.part_of(tick.value), 1 + 1e-6);
        }
        EXPECT_GE(found.size(), 3u) << size << " " << width;
        EXPECT_LE(found.size(), 7u) << size << " " << width;
        EXPECT_EQ(read.size(), found.size()) << size << " " << width << ": " << found[0].label;
      }
    }
  }
}

TEST(Axis, StepsHaveWholeTicks) {
  for (const std::vector<double>& steps : std::vector<std::vector<double>>{{}, {0}, {5}, {0, 1}, {1000000, 1000001}}) {
    const std::vector<Tick> found = ticks(range_of_steps(steps));
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[1].value, found[0].value + 1);
  }
}

TEST(Axis, NumbersHaveFewDigits) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(0.0004), "0.0004");
  EXPECT_EQ(short_number(1.2345e-9, 3), "1.23e-9");
  EXPECT_EQ(short_number(-1.5e-12), "-1.5e-12");
  EXPECT_EQ(short_number(2e20), "2e20");
  EXPECT_EQ(short_number(156000), "156k");
  EXPECT_EQ(short_number(-2.5e6), "-2.5M");
}

}  // namespace
}  // namespace sgpt
