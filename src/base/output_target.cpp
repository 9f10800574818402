#include "base/output_target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/filesystem.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

/// A descriptor of our own as another name for it: what is behind it may have no name.
File duplicate(int descriptor, const fs::path& name) {
  File file(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0), name);
  if (!file) files::fail(name, "cannot be written", errno);
  return file;
}

/// Whether what is there takes a stream; false for a regular file and a place for one.
bool is_stream_at(const fs::path& name, const fs::path& place) {
  struct stat status {};
  const bool there = ::stat(place.c_str(), &status) == 0;
  if (!there && errno != ENOENT) files::fail(name, "cannot be written", errno);
  if (there ? S_ISDIR(status.st_mode) : !name.has_filename()) {
    throw UserError(fmt::format("{}: is a folder; expected the name of a file to write", name.string()));
  }
  if (!there) return false;
  if (S_ISSOCK(status.st_mode)) {
    throw UserError(fmt::format("{}: is a socket; expected the name of a file to write", name.string()));
  }
  if (::faccessat(AT_FDCWD, place.c_str(), W_OK, AT_EACCESS) != 0) files::fail(name, "cannot be written", errno);
  return !S_ISREG(status.st_mode);
}

}  // namespace

OutputTarget output_target(const fs::path& name) {
  OutputTarget target;
  if (name == "-") {
    target.stream = duplicate(STDOUT_FILENO, "stdout");
    return target;
  }
  target.path = files::resolved(name);
  if (const auto descriptor = files::own_descriptor(target.path)) {
    target.stream = duplicate(*descriptor, name);
  } else if (is_stream_at(name, target.path)) {
    target.stream = File::open(target.path, O_WRONLY | O_NOCTTY, "cannot be written");
  }
  return target;
}

void require_writable(const fs::path& name) {
  if (name == "-") return;
  const fs::path place = files::resolved(name);
  if (files::own_descriptor(place) || is_stream_at(name, place)) return;
  const fs::path folder = files::folder_of(place);
  files::require_folder_for(place);
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    files::fail(name, "cannot be written in its folder", errno);
  }
}

}  // namespace sgpt
