#include "base/atomic_folder.h"

#include "base/filesystem.h"

namespace sgpt {

AtomicFolder::AtomicFolder(const std::filesystem::path& target) {
  const std::filesystem::path place = files::resolved(files::without_slash(target));
  files::make_folders(files::folder_of(place));
  partial_.emplace(place, Partial::Kind::folder);
}

void AtomicFolder::commit() { partial_->finish(); }

}  // namespace sgpt
