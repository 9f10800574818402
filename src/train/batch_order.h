// Which examples make up which step's batch. The order is a function of seed and step alone, so that a run can be taken
// up at any step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sgpt {

class BatchOrder {
 public:
  struct Options {
    std::int64_t batch_size = 64;
    bool shuffle = true;  ///< anew for each pass over the data
    std::uint64_t seed = 0;
    std::int64_t rank = 0;  ///< of `ranks`, which share the batches out: batch i goes to rank i mod `ranks`
    std::int64_t ranks = 1;
  };

  BatchOrder(std::int64_t examples, const Options& options);

  /// Steps of one pass over the data. In the last one a rank's batch may be smaller, or empty.
  std::int64_t batches() const;

  struct Batch {
    std::span<const std::int64_t> examples;  ///< valid until the next call
    std::int64_t visit = 0;                  ///< how often each of them was seen before
  };
  Batch batch(std::int64_t step);

 private:
  void arrange(std::int64_t pass);

  Options options_;
  std::vector<std::int64_t> order_;
  std::int64_t pass_ = -1;  // that order_ is for
};

}  // namespace sgpt
