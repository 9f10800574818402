// The arena: what is taken is aligned, does not overlap, and is reused after a release.
#include "tensor/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "sgpt/error.h"

namespace sgpt {
namespace {

TEST(Arena, TakesAlignedPiecesThatDoNotOverlap) {
  Arena arena(host_memory());
  std::vector<Matrix> taken;
  for (std::int64_t i = 0; i < 200; ++i) {
    taken.push_back(arena.take(i, 1 + i * 7 % 301, i % 2 == 0 ? DType::f32 : DType::bf16));
    std::memset(taken.back().data, static_cast<int>(i), taken.back().bytes());
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(taken[i].data) % 64, 0u);
    const auto* bytes = static_cast<const unsigned char*>(taken[i].data);
    for (std::size_t b = 0; b < taken[i].bytes(); ++b) ASSERT_EQ(bytes[b], static_cast<unsigned char>(i));
  }
}

TEST(Arena, GivesTheSameMemoryAgainAfterARelease) {
  Arena arena(host_memory());
  const Matrix kept = arena.take(10, 10);
  const Arena::Mark mark = arena.mark();
  void* first = arena.take(1000, 1000).data;
  void* second = arena.take(3000, 1000).data;  // a block of its own
  const std::size_t capacity = arena.capacity();
  for (int pass = 0; pass < 5; ++pass) {
    arena.release(mark);
    EXPECT_EQ(arena.take(1000, 1000).data, first);
    EXPECT_EQ(arena.take(3000, 1000).data, second);
  }
  EXPECT_EQ(arena.capacity(), capacity);
  EXPECT_NE(kept.data, first);
}

TEST(Arena, ScopeReleasesWhatWasTakenInIt) {
  Arena arena(host_memory());
  void* inside = nullptr;
  {
    const Arena::Scope scope(arena);
    inside = arena.take(5, 5).data;
  }
  EXPECT_EQ(arena.take(5, 5).data, inside);
}

TEST(Arena, RefusesSizesThatOverflow) {
  Arena arena(host_memory());
  constexpr auto kHuge = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(arena.take(kHuge, 2), MachineError);
  EXPECT_THROW(arena.take(kHuge / 2, 1), MachineError);
  EXPECT_THROW(arena.take(-1, 4), MachineError);
  EXPECT_EQ(arena.take(0, 4).size(), 0);
}

TEST(HostMemory, SaysHowMuchItCouldNotAllocate) {
  try {
    host_memory().allocate(std::size_t{1} << 62);
    FAIL() << "four exbibytes were allocated";
  } catch (const MachineError& error) {
    EXPECT_NE(std::string(error.what()).find("4611686018427387904"), std::string::npos) << error.what();
  }
  EXPECT_THROW(host_memory().allocate(std::numeric_limits<std::size_t>::max()), MachineError);
}

TEST(Buffer, MovesItsMemory) {
  Buffer a(host_memory(), 100);
  void* data = a.data();
  Buffer b(std::move(a));
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(a.data(), nullptr);  // NOLINT(bugprone-use-after-move): a moved-from buffer is empty
  a = Buffer(host_memory(), 10);
  EXPECT_EQ(b.bytes(), 100u);
  EXPECT_EQ(a.bytes(), 10u);
}

}  // namespace
}  // namespace sgpt
