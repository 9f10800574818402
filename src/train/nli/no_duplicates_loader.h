// Batches in which no text stands twice, as NoDuplicatesDataLoader of sentence-transformers 2 makes them: it walks
// through the shuffled list and takes what shares no text with the batch so far. What it passes over is lost until the
// list is shuffled anew, which happens at its end, in the middle of a batch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "train/batch_source.h"

namespace sgpt {

class NoDuplicatesLoader : public BatchSource {
 public:
  struct Options {
    std::int64_t batch_size = 64;
    bool shuffle = true;
    std::uint64_t seed = 0;
    std::int64_t rank = 0;
    std::int64_t ranks = 1;
    /// Whether the ranks share one list out, each taking its part of a batch of all of them. Otherwise each goes
    /// through all examples in an order of its own, and nobody looks for a text that two ranks have.
    bool shared = false;
    /// Adds hashes of the texts of an example.
    std::function<void(std::int64_t example, std::vector<std::uint64_t>& hashes)> texts = {};
    std::string source = {};  ///< the file, for messages
  };

  /// Throws UserError when there are fewer examples than a batch has.
  NoDuplicatesLoader(std::int64_t examples, Options options);

  /// floor(examples / a batch).
  std::int64_t batches() const override { return examples_ / at_once_; }

  /// Throws UserError when so few examples share no text that no batch can be filled.
  Batch batch(std::int64_t number) override;

  /// Makes so many batches once, so that one that cannot be filled is heard of before the first step.
  void require_batches(std::int64_t count);

 private:
  void rewind();
  void fill();
  void shuffle_list();
  bool take(std::int64_t example, std::unordered_set<std::uint64_t>& texts);

  Options options_;
  std::int64_t examples_;
  std::int64_t at_once_;  // examples of a batch of all ranks that share
  std::vector<std::int64_t> list_;
  std::vector<std::int64_t> batch_;    // the one before number next_
  std::vector<std::uint64_t> hashes_;  // of an example
  std::int64_t next_ = 0;              // number of the batch to be filled
  std::int64_t place_ = 0;             // in the list
  std::int64_t pass_ = 0;              // how often the list was shuffled before
};

}  // namespace sgpt
