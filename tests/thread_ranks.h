// Ranks as threads of one process, for tests: what MPI does between processes.
#pragma once

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <exception>
#include <functional>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/communicator.h"

namespace sgpt::testing {

/// What the ranks have in common.
struct RankThreads {
  explicit RankThreads(int size) : together(size), posted(static_cast<std::size_t>(size)) {}
  std::barrier<> together;
  std::vector<std::string> posted;  // by rank
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(RankThreads& threads, int rank) : threads_(threads), rank_(rank) {}

  using Communicator::all_gather;
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(threads_.posted.size()); }
  int local_size() const override { return size(); }

  void all_gather(std::span<const float> mine, std::span<const std::int64_t> counts, std::span<float> all) override {
    std::vector<std::string> parts = all_gather(bytes_of(mine));
    std::size_t place = 0;
    for (std::size_t r = 0; r < parts.size(); ++r) {
      const std::vector<float> part = floats_of(parts[r]);
      if (std::ssize(part) != counts[r]) throw std::logic_error("a rank brought another count than was said");
      std::copy(part.begin(), part.end(), all.begin() + static_cast<std::ptrdiff_t>(place));
      place += part.size();
    }
    if (place != all.size()) throw std::logic_error("the counts are not those of the whole");
  }

  void gather(std::span<const float> mine, std::span<const std::int64_t> counts, std::span<float> all) override {
    std::vector<float> on_each(all.size());
    if (!first()) on_each.resize(static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), 0L)));
    all_gather(mine, counts, on_each);
    if (first()) std::copy(on_each.begin(), on_each.end(), all.begin());
  }

  void reduce_scatter_sum(std::span<const float> all, std::span<const std::int64_t> counts,
                          std::span<float> mine) override {
    std::vector<double> sums(mine.size());
    std::size_t begin = 0;
    for (int r = 0; r < rank_; ++r) begin += static_cast<std::size_t>(counts[static_cast<std::size_t>(r)]);
    for (const std::string& part : all_gather(bytes_of(all))) {
      const std::vector<float> values = floats_of(part);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += values.at(begin + i);
    }
    for (std::size_t i = 0; i < sums.size(); ++i) mine[i] = static_cast<float>(sums[i]);
  }

  std::vector<std::string> all_gather(std::string_view mine) override {
    threads_.posted[static_cast<std::size_t>(rank_)] = mine;
    barrier();
    std::vector<std::string> all = threads_.posted;
    barrier();
    return all;
  }

  void broadcast(std::span<std::byte> bytes) override {
    const std::string first = all_gather(std::string_view(reinterpret_cast<char*>(bytes.data()), bytes.size())).front();
    std::copy_n(reinterpret_cast<const std::byte*>(first.data()), bytes.size(), bytes.begin());
  }

  void barrier() override { threads_.together.arrive_and_wait(); }
  void abort(int) override { std::abort(); }

 private:
  static std::string_view bytes_of(std::span<const float> values) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
  }
  static std::vector<float> floats_of(const std::string& bytes) {
    std::vector<float> values(bytes.size() / sizeof(float));
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(values.data()));
    return values;
  }

  RankThreads& threads_;
  int rank_;
};

/// Runs `work` on so many ranks at once. An exception must come on all of them, or none; the first rank's is thrown.
inline void on_ranks(int size, const std::function<void(Communicator&)>& work) {
  RankThreads shared(size);
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadCommunicator communicator(shared, rank);
      try {
        work(communicator);
      } catch (...) {
        errors[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (errors.front()) std::rethrow_exception(errors.front());
}

}  // namespace sgpt::testing
