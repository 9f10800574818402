// Folders that appear under their name only when everything in them is whole.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/partial.h"

namespace sgpt {

/// Makes a Partial beside the target, to be filled; commit() flushes it to the disk and renames it over nothing or an
/// empty folder. Destroyed without commit(), it leaves nothing behind. A link stays one. Throws UserError when the
/// folder cannot be made, MachineError when the disk is full or fails.
class AtomicFolder {
 public:
  explicit AtomicFolder(const std::filesystem::path& target);
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& path() const { return partial_->path(); }  ///< where to write until commit()
  std::filesystem::path operator/(std::string_view name) const { return path() / name; }
  void commit();

 private:
  std::optional<Partial> partial_;
};

}  // namespace sgpt
