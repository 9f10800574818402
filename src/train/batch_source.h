// Which examples make up which step's batch, however they are chosen.
#pragma once

#include <cstdint>
#include <span>

namespace sgpt {

class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// Batches of one pass over the data; batch numbers go on counting from pass to pass.
  virtual std::int64_t batches() const = 0;

  struct Batch {
    std::span<const std::int64_t> examples;  ///< valid until the next call
    std::int64_t visit = 0;                  ///< how often each of them was seen before
  };
  /// This rank's part of a batch: a function of the data, the seed and `number` alone, so that a run can be taken up
  /// anywhere.
  virtual Batch batch(std::int64_t number) = 0;
};

}  // namespace sgpt
