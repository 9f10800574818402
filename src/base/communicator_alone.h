// A process that works by itself: rank 0 of 1.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "base/communicator.h"

namespace sgpt {

class CommunicatorAlone final : public Communicator {
 public:
  using Communicator::all_gather;
  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_size() const override { return 1; }
  void all_gather(std::span<const float> mine, std::span<const std::int64_t>, std::span<float> all) override {
    std::copy(mine.begin(), mine.end(), all.begin());
  }
  void gather(std::span<const float> mine, std::span<const std::int64_t>, std::span<float> all) override {
    std::copy(mine.begin(), mine.end(), all.begin());
  }
  void reduce_scatter_sum(std::span<const float> all, std::span<const std::int64_t>, std::span<float> mine) override {
    std::copy(all.begin(), all.end(), mine.begin());
  }
  std::vector<std::string> all_gather(std::string_view mine) override { return {std::string(mine)}; }
  void broadcast(std::span<std::byte>) override {}
  void barrier() override {}
  void abort(int status) override { std::_Exit(status); }
};

}  // namespace sgpt
