// What a process leaves behind when a signal ends it: files and folders that are not whole and that no later run takes
// up. They are written down here while they exist, so that a signal's handler can remove them.
#pragma once

#include <filesystem>

namespace sgpt {

/// A path that shall not outlive the process. Thread-safe. One too many (some hundred at once) is not written down.
class Unfinished {
 public:
  explicit Unfinished(const std::filesystem::path& path);
  /// It is finished, or was removed: it may stay.
  ~Unfinished();
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

 private:
  int slot_;
};

/// Removes all of them, folders with what is in them. For signal handlers: calls nothing that may not be called there.
void remove_unfinished() noexcept;

}  // namespace sgpt
