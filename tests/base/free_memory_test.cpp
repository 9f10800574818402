#include "base/free_memory.h"

#include <gtest/gtest.h>

#include "temp_folder.h"

namespace sgpt {
namespace {

TEST(FreeMemory, IsWhatTheKernelSays) {
  const testing::TempFolder folder;
  const auto available = [&](const char* text) { return available_memory(folder.write("meminfo", text)); };
  EXPECT_EQ(available("MemTotal: 900 kB\nMemFree: 100 kB\nMemAvailable: 300 kB\nCached: 150 kB\n"), 300U * 1024);
  EXPECT_EQ(available("MemTotal: 900 kB\nMemFree: 100 kB\nCached: 150 kB\n"), 250U * 1024);  // of an old kernel
  // What tells nothing refuses nothing.
  EXPECT_EQ(available(""), ~std::uint64_t{0});
  EXPECT_EQ(available_memory(folder / "none"), ~std::uint64_t{0});
  EXPECT_GT(free_memory(), 0U);
}

}  // namespace
}  // namespace sgpt
