#include "retrieval/correlation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace sgpt::testing {
namespace {

using ::testing::ElementsAre;
using Numbers = std::vector<double>;

TEST(Correlation, PearsonAndSpearmanOfSmallLists) {
  // scipy.stats.pearsonr([1, 2, 3, 5], [2, 1, 4, 9]), and spearmanr of the same
  EXPECT_NEAR(pearson(Numbers{1, 2, 3, 5}, Numbers{2, 1, 4, 9}), 0.932294445082039, 1e-12);
  EXPECT_NEAR(spearman(Numbers{1, 2, 3, 5}, Numbers{2, 1, 4, 9}), 0.8, 1e-12);
  EXPECT_DOUBLE_EQ(pearson(Numbers{1, 2, 3}, Numbers{-2, -4, -6}), -1);
  EXPECT_DOUBLE_EQ(spearman(Numbers{1, 2, 3}, Numbers{1, 10, 1000}), 1);
}

TEST(Correlation, EqualValuesShareTheirMeanRank) {
  EXPECT_THAT(average_ranks(Numbers{3, 1, 3, 2, 3}), ElementsAre(4, 1, 4, 2, 4));
  EXPECT_NEAR(spearman(Numbers{1, 1, 2, 3}, Numbers{1, 2, 2, 3}), 5.0 / 6, 1e-12);
}

TEST(Correlation, OfAConstantIsNoNumber) {
  EXPECT_TRUE(std::isnan(pearson(Numbers{1, 1, 1}, Numbers{1, 2, 3})));
  EXPECT_TRUE(std::isnan(spearman(Numbers{1, 2, 3}, Numbers{4, 4, 4})));
}

TEST(Correlation, SimilaritiesOfVectors) {
  const std::vector<float> u{3, 4};
  const std::vector<float> v{4, -3};
  const std::vector<float> none{0, 0};
  EXPECT_DOUBLE_EQ(cosine(u, u), 1);
  EXPECT_DOUBLE_EQ(cosine(u, v), 0);
  EXPECT_DOUBLE_EQ(cosine(u, none), 0);
  EXPECT_DOUBLE_EQ(dot_product(u, u), 25);
  EXPECT_DOUBLE_EQ(euclidean_distance(u, none), 5);
  EXPECT_DOUBLE_EQ(manhattan_distance(u, v), 8);
}

}  // namespace
}  // namespace sgpt::testing
