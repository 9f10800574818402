#include "train/run_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include <fmt/format.h>

#include "base/filesystem.h"
#include "sgpt/error.h"

namespace sgpt {

RunLock::RunLock(const std::filesystem::path& output) {
  const std::filesystem::path model = files::without_slash(output);
  const std::filesystem::path path = model.string() + ".lock";
  files::make_folders(files::folder_of(path));
  for (;;) {
    file_ = File::open(path, O_RDWR | O_CREAT, "cannot be made, which a run must that writes this model");
    if (!file_.try_lock()) {
      throw UserError(
          fmt::format("{}: another training run is writing this model ({} is locked): wait until it has ended, or name "
                      "another --model_save_path",
                      model.string(), path.string()));
    }
    // A run that ended in between has removed the file: whoever comes next would make and lock another one.
    struct stat named {};
    if (::stat(path.c_str(), &named) == 0 && named.st_ino == file_.status().st_ino) return;
  }
}

/// Removed while it is locked, so that it cannot be another run's.
RunLock::~RunLock() { ::unlink(file_.name().c_str()); }

}  // namespace sgpt
