// Exceptions out of parallel loops.
#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <string>

#include "sgpt/error.h"

namespace sgpt {
namespace {

TEST(Parallel, DoesEveryTaskOnce) {
  std::vector<std::atomic<int>> done(1000);
  parallel_tasks(1000, [&](std::int64_t i) { ++done[static_cast<std::size_t>(i)]; });
  for (const auto& times : done) EXPECT_EQ(times, 1);
  parallel_tasks(0, [](std::int64_t) { FAIL(); });
}

TEST(Parallel, ThrowsTheFirstErrorInOrderWithAnyThreads) {
  for (int round = 0; round < 20; ++round) {
    try {
      parallel_tasks(100, [](std::int64_t i) {
        if (i % 10 == 3) throw UserError("line " + std::to_string(i));
      });
      FAIL() << "nothing was thrown";
    } catch (const UserError& error) {
      EXPECT_STREQ(error.what(), "line 3");
    }
  }
  EXPECT_THROW(parallel_tasks(8, [](std::int64_t) { throw std::bad_alloc(); }), std::bad_alloc);
}

}  // namespace
}  // namespace sgpt
