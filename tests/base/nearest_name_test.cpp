#include "base/nearest_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace sgpt {
namespace {

TEST(NearestName, CountsLettersMissingAddedChangedAndSwapped) {
  const std::vector<std::string> commands{"encode", "search", "eval", "score", "info"};
  EXPECT_EQ(nearest_name("serch", commands), "search");
  EXPECT_EQ(nearest_name("searchh", commands), "search");
  EXPECT_EQ(nearest_name("encod3", commands), "encode");
  EXPECT_EQ(nearest_name("eavl", commands), "eval");
  EXPECT_EQ(nearest_name("SEARCH", commands), "search");
  EXPECT_EQ(nearest_name("inof", commands), "info");
  EXPECT_EQ(nearest_name("compute", commands), std::nullopt);
  EXPECT_EQ(nearest_name("", commands), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(100'000, 'x'), commands), std::nullopt);
  EXPECT_EQ(nearest_name("--train-batch_siez", std::vector<std::string>{"--train_batch_size"}), "--train_batch_size");
}

TEST(NearestName, ListsAreCut) {
  const std::vector<std::string> names{"a", "b", "c"};
  EXPECT_EQ(listed(names), "a, b, c");
  EXPECT_EQ(listed(names, 2), "a, b, …");
  EXPECT_EQ(listed({}), "");
}

}  // namespace
}  // namespace sgpt
