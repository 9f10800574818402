#include "base/bus_errors.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstring>
#include <string>

#include "base/unfinished.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr int kSlots = 1024;

/// A handler can reach nothing but globals, and may not allocate.
struct Slot {
  std::atomic<bool> taken{false};
  std::atomic<const char*> begin{nullptr};  // null: nothing is to be found here (yet, or any more)
  std::atomic<std::size_t> size{0};
  std::array<char, PATH_MAX> path;
};
std::array<Slot, kSlots> slots;

struct sigaction before {};

void print(const char* text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void on_bus_error(int signal, siginfo_t* info, void*) {
  static std::atomic_flag told = ATOMIC_FLAG_INIT;
  const char* file = info->si_code > 0 ? file_mapped_at(info->si_addr) : nullptr;  // 0 and below: sent by a process
  if (!file) {
    ::sigaction(signal, &before, nullptr);
    ::raise(signal);
    return;
  }
  while (told.test_and_set()) ::pause();  // another thread is at it
  print("sgpt: ");
  print(file);
  print(
      ": reading failed: the file became shorter while it was in use, or its disk fails; put it back and run again\n");
  remove_unfinished();
  ::_exit(1);
}

}  // namespace

const char* file_mapped_at(const void* address) noexcept {
  const auto* at = static_cast<const char*>(address);
  for (const Slot& slot : slots) {
    const char* begin = slot.begin;
    if (begin && at >= begin && at < begin + slot.size) return slot.path.data();
  }
  return nullptr;
}

NamedMapping::NamedMapping(const void* begin, std::size_t size, const std::filesystem::path& file) : slot_(-1) {
  const std::string& name = file.native();
  if (size == 0 || name.size() >= PATH_MAX) return;
  for (int i = 0; i < kSlots; ++i) {
    Slot& slot = slots[static_cast<std::size_t>(i)];
    if (slot.taken.exchange(true)) continue;
    std::memcpy(slot.path.data(), name.c_str(), name.size() + 1);
    slot.size = size;
    slot.begin = static_cast<const char*>(begin);
    slot_ = i;
    return;
  }
}

void NamedMapping::forget() noexcept {
  if (slot_ < 0) return;
  Slot& slot = slots[static_cast<std::size_t>(slot_)];
  slot.begin = nullptr;
  slot.taken = false;
  slot_ = -1;
}

void explain_bus_errors() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, &before);
}

}  // namespace sgpt
