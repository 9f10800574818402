#include "serve/embedding_cache.h"

#include <gtest/gtest.h>

#include "work_requests.h"

namespace sgpt::serve {
namespace {

using testing::input;
using testing::row_of;

TEST(EmbeddingCache, KeepsTheLastOnesWithinItsBytes) {
  EmbeddingCache cache(3 * (256 + 4 * 4 + 4));
  for (int i = 1; i <= 3; ++i) cache.put(input(i, 4), row_of(static_cast<float>(i)));
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_EQ(cache.find(input(1, 4))->front(), 1);  // now the last one asked for
  cache.put(input(4, 4), row_of(4));
  EXPECT_EQ(cache.find(input(2, 4)), nullptr);
  for (const int there : {1, 3, 4}) EXPECT_NE(cache.find(input(there, 4)), nullptr) << there;
  EXPECT_LE(cache.bytes(), 3U * (256 + 4 * 4 + 4));
  cache.put(input(9, 400), row_of(9));  // larger than all of it
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_EQ(cache.hits(), 4U);
  EXPECT_EQ(cache.misses(), 1U);
  cache.clear();
  EXPECT_EQ(cache.bytes(), 0U);
  EXPECT_EQ(cache.find(input(1, 4)), nullptr);
}

TEST(EmbeddingCache, WhatIsPooledOtherwiseIsAnotherInput) {
  EmbeddingCache cache(10000);
  Input first = input(1, 4), second = first;
  second.skipped = 2;
  cache.put(first, row_of(1));
  EXPECT_EQ(cache.find(second), nullptr);
}

TEST(EmbeddingCache, OfNoBytesKeepsNothing) {
  EmbeddingCache cache(0);
  cache.put(input(1, 4), row_of(1));
  EXPECT_EQ(cache.find(input(1, 4)), nullptr);
}

}  // namespace
}  // namespace sgpt::serve
