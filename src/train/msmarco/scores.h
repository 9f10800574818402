// The cross-encoder's scores: a pickled {qid: {pid: score}} of 160 million pairs. The pickle runs through the safe
// machine as a stream; the scores go to a file without a name and are looked up there, query by query, so that neither
// the pickle nor the scores are ever in memory as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/file.h"

namespace sgpt {

class CrossEncoderScores {
 public:
  /// Reads the pickle (packed with gzip or not); the nameless file, 12 bytes a score, lies in `folder`. Throws
  /// UserError naming file and place when it is truncated, broken, or no dict of dicts of numbers.
  CrossEncoderScores(const std::filesystem::path& pickle, const std::filesystem::path& folder);
  CrossEncoderScores(const CrossEncoderScores&) = delete;
  CrossEncoderScores& operator=(const CrossEncoderScores&) = delete;

  std::int64_t queries() const { return static_cast<std::int64_t>(queries_.size()); }

  /// Makes this query's scores those that score() looks up; false when it has none.
  bool select(std::int64_t qid);
  std::optional<double> score(std::int64_t pid) const;

 private:
  struct Query {
    std::int64_t qid;
    std::uint64_t offset;  // in the file: pids u32[count], ascending, then scores f64[count]
    std::uint64_t count;
  };
  class Reader;

  std::vector<Query> queries_;  // by qid
  File file_;
  std::vector<std::byte> bytes_;  // of the query selected
  std::size_t count_ = 0;
};

}  // namespace sgpt
