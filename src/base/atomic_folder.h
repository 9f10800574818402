// Folders that appear under their name only when everything in them is whole.
#pragma once

#include <filesystem>
#include <string_view>

namespace sgpt {

/// Makes `target`.partial-PID beside the target, to be filled; commit() flushes it to the disk and renames it over
/// nothing or an empty folder. Destroyed without commit(), it leaves nothing behind. Throws UserError when the folder
/// cannot be made, MachineError when it cannot be renamed.
class AtomicFolder {
 public:
  explicit AtomicFolder(const std::filesystem::path& target);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }  ///< where to write until commit()
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path path_;
};

/// Without a slash at the end, so that something can be appended to the name.
std::filesystem::path without_slash(const std::filesystem::path& path);

}  // namespace sgpt
