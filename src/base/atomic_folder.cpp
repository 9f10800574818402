#include "base/atomic_folder.h"

#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "sgpt/error.h"

namespace sgpt {

namespace fs = std::filesystem;

fs::path without_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

AtomicFolder::AtomicFolder(const fs::path& target) : target_(without_slash(target)) {
  std::error_code error;
  if (target_.has_parent_path()) fs::create_directories(target_.parent_path(), error);
  if (!error) {
    path_ = target_;
    path_ += fmt::format(".partial-{}", ::getpid());
    fs::remove_all(path_, error);
    fs::create_directory(path_, error);
  }
  if (error) throw UserError(fmt::format("{}: cannot be made: {}", target_.string(), error.message()));
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

void AtomicFolder::commit() {
  sync_folder(path_);  // the files' names, before the folder gets its own
  std::error_code error;
  fs::rename(path_, target_, error);  // over an empty folder at most
  if (error) throw MachineError(fmt::format("{}: cannot be made: {}", target_.string(), error.message()));
  path_.clear();
  sync_folder(target_.parent_path());
}

}  // namespace sgpt
