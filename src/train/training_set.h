// What training asks of its data, wherever the data comes from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/training_batch.h"

namespace sgpt {

/// Immutable after opening.
class TrainingSet {
 public:
  virtual ~TrainingSet() = default;

  virtual std::int64_t size() const = 0;                 ///< examples: one query each
  virtual std::int64_t negatives_per_query() const = 0;  ///< in each batch

  /// A checksum of what batches are made of: a run goes on only with the data that it began with.
  virtual std::uint64_t fingerprint() const = 0;

  /// The texts of these examples, seen for the `visit`-th time (from 0). Each visit takes the first positive and the
  /// first negatives of an example and puts them at the end of its list.
  virtual TrainingBatch batch(std::span<const std::int64_t> examples, std::int64_t visit) const = 0;

  /// Adds hash_of_text of the query, the positive and the negatives that an example has at a visit.
  virtual void texts(std::int64_t example, std::int64_t visit, std::vector<std::uint64_t>& hashes) const = 0;
  /// Says how many of the texts that were read so far were cut at the maximum length.
  virtual void tell_cut_texts() const {}
};

}  // namespace sgpt
