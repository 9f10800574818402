#include "base/partial.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/filesystem.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".partial-";

/// A name that no other process takes, were it one of the same number in another container; nor this one again.
fs::path partial_name(const fs::path& target) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  fs::path name = target;
  name += fmt::format("{}{}{}", kMark, ::getpid(), std::chrono::nanoseconds(now).count());
  return name;
}

/// `unknown` on file systems that have no locks, where what killed processes leave behind therefore stays.
bool locks(const File& file, bool unknown) {
  try {
    return file.try_lock();
  } catch (const Error&) {
    return unknown;
  }
}

/// Of a name that a Partial has: where the number's mark begins.
std::optional<std::size_t> mark_in(const std::string& name) {
  const std::size_t mark = name.rfind(kMark);
  if (mark == std::string::npos || mark == 0 || name.size() == mark + kMark.size()) return std::nullopt;
  const bool number = std::all_of(name.begin() + static_cast<std::ptrdiff_t>(mark + kMark.size()), name.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  return number ? std::optional(mark) : std::nullopt;
}

/// Of one target's name, or of all when it is empty.
void remove_left_overs(const fs::path& folder, const std::string& target) {
  std::error_code none;
  std::vector<fs::path> abandoned;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    const auto mark = mark_in(name);
    if (mark && (target.empty() || name.substr(0, *mark) == target)) abandoned.push_back(entry.path());
  }
  for (const fs::path& path : abandoned) {
    const File file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), path);
    if (file && locks(file, false)) fs::remove_all(path, none);
  }
}

}  // namespace

Partial::Partial(const fs::path& target, Kind kind) : target_(target), kind_(kind) {
  files::require_folder_for(target);
  remove_left_overs(files::folder_of(target), target.filename().string());
  while (!make(partial_name(target))) {
  }
}

/// False when that name is somebody else's.
bool Partial::make(const fs::path& path) {
  // Written down before it is there, so that no signal comes too early; the name is nobody else's.
  unfinished_.emplace(path);
  const bool made = kind_ == Kind::folder ? make_folder(path) : make_file(path);
  // Between making and locking, another process may have taken it for abandoned and removed it.
  if (!made || (file_ && (!locks(file_, true) || file_.status().st_nlink == 0))) {
    unfinished_.reset();
    return false;
  }
  path_ = path;
  return true;
}

bool Partial::make_folder(const fs::path& path) {
  if (::mkdir(path.c_str(), 0777) != 0) {
    if (errno == EEXIST) return false;
    files::fail(target_, "cannot be made", errno);
  }
  file_ = File(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), path);
  return true;
}

bool Partial::make_file(const fs::path& path) {
  file_ = File(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), target_);
  if (file_) return true;
  if (errno == EEXIST) return false;
  files::fail(target_, "cannot be written", errno);
}

void Partial::remove_abandoned(const fs::path& folder) { remove_left_overs(folder, ""); }

Partial::~Partial() {
  if (!unfinished_) return;
  std::error_code none;
  fs::remove_all(path_, none);
}

void Partial::finish() {
  file_.take_permissions(target_);
  if (kind_ == Kind::file) {
    file_.sync();
  } else {
    files::sync_folder(path_);  // the files' names, before the folder gets its own
  }
  files::rename(path_, target_);
  unfinished_.reset();
  files::sync_folder(files::folder_of(target_));
  file_ = File();
}

}  // namespace sgpt
