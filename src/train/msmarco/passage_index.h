// Where each passage of a collection.tsv begins: found once by a parallel scan, kept in COLLECTION.sgpt-index beside
// it, and mapped from there. 8 bytes a passage when the numbers are 0 … N-1, as in the published file; 12 otherwise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

#include "base/mapped_file.h"
#include "train/msmarco/folder.h"

namespace sgpt {

class PassageIndex {
 public:
  /// Opens the index of this file, and makes it first when there is none or it is of another state of the file. Throws
  /// UserError naming file and line when a line has no tab, no valid number, or a number that was there before.
  static PassageIndex open(const MappedFile& collection);

  std::int64_t size() const { return static_cast<std::int64_t>(offsets_.size()); }
  /// The row of passage `pid`, or nothing.
  std::optional<std::uint32_t> row(std::int64_t pid) const;
  std::int64_t pid(std::uint32_t row) const { return pids_.empty() ? row : pids_[row]; }
  /// Where the text of a row begins.
  std::uint64_t offset(std::uint32_t row) const { return offsets_[row]; }

 private:
  bool load(const std::filesystem::path& path, const FileStamp& collection);

  MappedFile file_;
  std::span<const std::uint64_t> offsets_;  // by row
  std::span<const std::uint32_t> pids_;     // by row, ascending; empty when row and pid are the same
};

}  // namespace sgpt
