#include "base/fork.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include <gtest/gtest.h>

#include "base/parallel.h"
#include "base/threads.h"

namespace sgpt {
namespace {

/// The sum of the numbers below 1,000, by all threads.
int sum() {
  const ThreadScope threads(4);
  std::atomic<int> total = 0;
  parallel_tasks(1000, [&](std::int64_t i) { total += static_cast<int>(i); });
  return total;
}

TEST(Fork, AChildComputesOnThreadsOfItsOwn) {
  ASSERT_EQ(sum(), 499500);
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::alarm(30);  // without the handler it waits for ever
      ::_exit(sum() == 499500 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(sum(), 499500);
  }
}

}  // namespace
}  // namespace sgpt
