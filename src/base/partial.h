// The unfinished thing beside its target. It has the name TARGET.partial-N, is locked while it is written, and becomes
// the target by a rename. What killed processes left behind for the same target is removed first: it has no lock, in
// whichever container its process ran.
#pragma once

#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/unfinished.h"

namespace sgpt {

/// Destroyed before finish(), or ended by a signal, it leaves nothing behind.
class Partial {
 public:
  enum class Kind { file, folder };

  /// `target` has no link in its last part. Throws UserError when its folder is missing or not writable.
  Partial(const std::filesystem::path& target, Kind kind);
  ~Partial();
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;

  const std::filesystem::path& path() const { return path_; }
  File& file() { return file_; }  ///< of a file: open for writing
  /// Puts it on the disk and renames it over the target, whose permissions it takes on where there is one.
  void finish();

  /// Removes what killed processes left behind in a folder, for whatever target.
  static void remove_abandoned(const std::filesystem::path& folder);

 private:
  bool make(const std::filesystem::path& path);
  bool make_folder(const std::filesystem::path& path);
  bool make_file(const std::filesystem::path& path);

  std::filesystem::path target_;
  Kind kind_;
  std::filesystem::path path_;
  File file_;
  std::optional<Unfinished> unfinished_;
};

}  // namespace sgpt
