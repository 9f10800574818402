// A model in the local hub cache, laid out as huggingface_hub does:
//   models--ORG--NAME/blobs/ETAG, refs/REVISION (holds the commit), snapshots/COMMIT/FILE (a link to its blob),
//   .no_exist/COMMIT/FILE (empty: the hub was asked for it and has none).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "hub/names.h"

namespace sgpt {

class ModelCache {
 public:
  /// Nothing is made or read yet. Throws UserError when `cache` is empty.
  ModelCache(const std::filesystem::path& cache, const HubName& name);

  std::filesystem::path blob(std::string_view etag) const { return folder_ / "blobs" / etag; }
  std::filesystem::path incomplete(std::string_view etag) const;
  std::filesystem::path snapshot(std::string_view commit) const { return folder_ / "snapshots" / commit; }

  std::filesystem::path no_exist(std::string_view commit) const { return folder_ / ".no_exist" / commit; }

  /// The commit that the name's revision had when it was last fetched; the revision itself when it is a commit.
  std::optional<std::string> commit() const;
  void write_commit(const std::string& commit) const;

  /// Puts a file in a snapshot, as a relative link to its blob.
  void link(std::string_view commit, const std::string& file, std::string_view etag) const;

  /// Notes that the hub has no such file, so that nobody asks again. A cache that cannot be written stays as it is.
  void note_absent(std::string_view commit, const std::string& file) const;

  /// For the work on one blob, or on the refs, which no two processes may write at once; huggingface_hub waits for
  /// those of blobs too. Waits, with a line that says so. Released when destroyed, or when the process dies.
  class Lock {
   public:
    Lock(const ModelCache& cache, std::string_view what);

   private:
    File file_;
  };

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path cache_;
  std::filesystem::path folder_;
  std::string revision_;
};

}  // namespace sgpt
