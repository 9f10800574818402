#include "bench/profile.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "tensor/memory.h"

namespace sgpt::bench {

double copying_speed(std::size_t bytes) {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kPiece = std::size_t{64} << 10;
  constexpr double kEnoughSeconds = 0.2;
  const Buffer from(host_memory(), bytes), to(host_memory(), bytes);
  std::memset(from.data(), 1, bytes);
  const auto copy = [&] {
#pragma omp parallel for schedule(static)
    for (std::size_t at = 0; at < bytes; at += kPiece) {
      std::memcpy(static_cast<char*>(to.data()) + at, static_cast<const char*>(from.data()) + at,
                  std::min(kPiece, bytes - at));
    }
  };
  copy();
  const auto start = Clock::now();
  double seconds = 0;
  double copied = 0;
  do {
    copy();
    copied += 2 * static_cast<double>(bytes);
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  } while (seconds < kEnoughSeconds);
  return copied / seconds;
}

std::vector<ProfileRow> profile_rows(const ProfiledBackend& backend, const MachineSpeed& speed,
                                     double tokenizer_seconds, double total_seconds) {
  std::vector<ProfileRow> rows;
  double known = tokenizer_seconds;
  for (std::size_t i = 0; i < kWorks; ++i) {
    const auto work = static_cast<Work>(i);
    const WorkDone& done = backend.of(work);
    if (done.seconds == 0) continue;
    rows.push_back({std::string(name_of(work)), done.seconds, done.flops / speed.flops + done.bytes / speed.bytes});
    known += done.seconds;
  }
  rows.push_back({"tokenizer", tokenizer_seconds});
  rows.push_back({"packing, waiting", std::max(0.0, total_seconds - known)});
  return rows;
}

}  // namespace sgpt::bench
