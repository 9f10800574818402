// The processes (ranks) that work on one job together, and how they exchange numbers. A process alone is rank 0 of 1.
// Functions that exchange something are called by all ranks, in the same order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sgpt {

class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int local_size() const = 0;  ///< ranks on this machine
  bool alone() const { return size() == 1; }
  bool first() const { return rank() == 0; }  ///< the rank that logs and saves

  /// all = every rank's numbers, one rank after the other; rank r brings counts[r] of them.
  virtual void all_gather(std::span<const float> mine, std::span<const std::int64_t> counts, std::span<float> all) = 0;
  /// The same, for rank 0 alone; the others' `all` is empty.
  virtual void gather(std::span<const float> mine, std::span<const std::int64_t> counts, std::span<float> all) = 0;
  /// mine = the sum over ranks of their piece number rank() of `all`; piece r has counts[r] numbers. Summed in the
  /// order of ranks, so that it is the same bits each time.
  virtual void reduce_scatter_sum(std::span<const float> all, std::span<const std::int64_t> counts,
                                  std::span<float> mine) = 0;
  /// values = their sum over ranks, the same bits on each and each time.
  void all_reduce_sum(std::span<float> values);

  /// Every rank's bytes, number or count, in the order of ranks.
  virtual std::vector<std::string> all_gather(std::string_view mine) = 0;
  std::vector<std::int64_t> all_gather(std::int64_t mine);
  std::vector<double> all_gather(double mine);
  /// bytes = those of rank 0.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  virtual void barrier() = 0;

  /// Ends all ranks at once with this exit status: for a rank that failed while the others wait for it.
  [[noreturn]] virtual void abort(int status) = 0;
};

/// For who needs no others.
Communicator& this_process_alone();

/// Where share `rank` of `total` things begins when they are dealt out to `ranks` as evenly as possible; share `ranks`
/// begins at the end.
constexpr std::int64_t even_share(std::int64_t total, std::int64_t rank, std::int64_t ranks) {
  return total / ranks * rank + (rank < total % ranks ? rank : total % ranks);
}

}  // namespace sgpt
