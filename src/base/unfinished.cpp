#include "base/unfinished.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>
#include <string>

namespace sgpt {
namespace {

constexpr int kSlots = 256;
constexpr int kDeepest = 8;       // folders within folders; models have two
constexpr int kMostRounds = 100;  // through a folder in which another thread still makes files

enum class State { free, changing, used };

/// A handler can reach nothing but globals, and may not allocate.
struct Slot {
  std::atomic<State> state{State::free};
  pid_t process;  // a child before its exec shares the table, not the work
  std::array<char, PATH_MAX> path;
};
std::array<Slot, kSlots> slots;

/// The kernel's own record: readdir() allocates.
struct Entry {
  std::uint64_t number;
  std::int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[1];
};

void remove_tree(int parent, const char* name, int depth);

/// One pass; false when there was nothing in it.
bool remove_entries(int folder, int depth) {
  bool any = false;
  ::lseek(folder, 0, SEEK_SET);
  alignas(Entry) std::array<char, 4096> block;
  for (long got; (got = ::syscall(SYS_getdents64, folder, block.data(), block.size())) > 0;) {
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const Entry*>(block.data() + at);
      at += entry->size;
      const char* name = block.data() + (reinterpret_cast<const char*>(entry) - block.data()) + offsetof(Entry, name);
      if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
      any = true;
      remove_tree(folder, name, depth + 1);
    }
  }
  return any;
}

void remove_tree(int parent, const char* name, int depth) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT || depth > kDeepest) return;
  const int folder = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return;
  for (int round = 0; round < kMostRounds && remove_entries(folder, depth); ++round) {
  }
  ::close(folder);
  ::unlinkat(parent, name, AT_REMOVEDIR);
}

}  // namespace

Unfinished::Unfinished(const std::filesystem::path& path) : slot_(-1) {
  const std::string& name = path.native();
  if (name.size() >= PATH_MAX) return;
  for (int i = 0; i < kSlots; ++i) {
    Slot& slot = slots[static_cast<std::size_t>(i)];
    State expected = State::free;
    if (!slot.state.compare_exchange_strong(expected, State::changing)) continue;
    std::memcpy(slot.path.data(), name.c_str(), name.size() + 1);
    slot.process = ::getpid();
    slot.state = State::used;
    slot_ = i;
    return;
  }
}

Unfinished::~Unfinished() {
  if (slot_ < 0) return;
  State expected = State::used;
  // Where a handler has taken it, the process is about to end.
  slots[static_cast<std::size_t>(slot_)].state.compare_exchange_strong(expected, State::free);
}

void remove_unfinished() noexcept {
  for (Slot& slot : slots) {
    State expected = State::used;
    if (!slot.state.compare_exchange_strong(expected, State::changing)) continue;
    if (slot.process == ::getpid()) remove_tree(AT_FDCWD, slot.path.data(), 0);
  }
}

}  // namespace sgpt
