// Counts the texts that were longer than the model looks at: what their end says has no part in the embedding, which
// the person who asked for it should hear of, once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

#include "encode/text_places.h"

namespace sgpt {

/// Thread-safe.
class CutTexts {
 public:
  /// Of so many texts, these (their numbers, ascending) were cut.
  void add(std::size_t texts, std::span<const std::size_t> cut, TextPlaces places);
  /// One line on what was counted: "37 of 1,400 texts were cut at 300 tokens, the first corpus.jsonl:12". Nothing where
  /// none was cut.
  void tell(std::int64_t max_seq_length) const;

 private:
  mutable std::mutex mutex_;
  std::int64_t texts_ = 0;
  std::int64_t cut_ = 0;
  std::string first_;
};

}  // namespace sgpt
