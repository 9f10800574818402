// One run at a time writes a model: OUTPUT.lock is there while one does, locked.
#pragma once

#include <filesystem>

#include "base/file.h"

namespace sgpt {

class RunLock {
 public:
  /// Throws UserError when another run, of this machine or any that shares the folder's locks, writes `output`, or when
  /// its folder cannot be written. Where a file system has no locks, nobody is refused.
  explicit RunLock(const std::filesystem::path& output);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  File file_;
};

}  // namespace sgpt
