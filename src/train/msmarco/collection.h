// MS MARCO's passages: collection.tsv, memory-mapped and found by number. 8.8 million of them take 70 MB of index.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/mapped_file.h"
#include "train/msmarco/passage_index.h"

namespace sgpt {

class Collection {
 public:
  /// Indexes the file on first use. Throws UserError naming file and line when it is not of the form.
  explicit Collection(const std::filesystem::path& path);

  std::int64_t size() const { return index_.size(); }
  /// The row of passage `pid`, or nothing. Rows are 0 … size()-1 in the order of the pids.
  std::optional<std::uint32_t> row(std::int64_t pid) const { return index_.row(pid); }
  std::int64_t pid(std::uint32_t row) const { return index_.pid(row); }

  /// The passage. May be called from several threads. Throws UserError when it is no valid UTF-8.
  std::string text(std::uint32_t row) const;

 private:
  MappedFile file_;
  PassageIndex index_;
  mutable std::atomic<std::int64_t> looked_at_ = 0;
};

}  // namespace sgpt
