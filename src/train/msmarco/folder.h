// The folder with the MS MARCO passage data: which files, what each holds, and where it is published.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/byte_source.h"
#include "base/file.h"

namespace sgpt {

/// The files by their published names, each packed with gzip (.gz behind its name) or not. What is cached beside them
/// is in `*.sgpt-…`.
struct MsMarcoFolder {
  std::filesystem::path folder;

  std::filesystem::path collection() const { return packed_or_plain(folder / "collection.tsv"); }
  std::filesystem::path train_queries() const { return packed_or_plain(folder / "queries.train.tsv"); }
  std::filesystem::path hard_negatives() const { return packed_or_plain(folder / "msmarco-hard-negatives.jsonl.gz"); }
  std::filesystem::path scores() const {
    return packed_or_plain(folder / "cross-encoder-ms-marco-MiniLM-L-6-v2-scores.pkl.gz");
  }
  std::filesystem::path examples() const { return folder / "msmarco-hard-negatives.sgpt-examples"; }
};

/// Throws UserError when the folder or one of the four files that training needs is missing: which, what it should
/// hold, and under which name it is published.
void require_msmarco_files(const MsMarcoFolder& folder);

/// What tells a file from a later one of the same name.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t modified = 0;  ///< nanoseconds
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
FileStamp stamp_of(const std::filesystem::path& path);

/// While it lives, other processes of this machine that want the same lock wait: several ranks then make a cached file
/// once, and not each for itself. Needs no right to write. Where a file system has no locks, nobody waits.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path);

 private:
  File file_;
};

}  // namespace sgpt
