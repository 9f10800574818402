#include "base/filesystem.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <system_error>

namespace sgpt::files {

namespace fs = std::filesystem;

namespace {

constexpr int kMostLinks = 40;  // as Linux has it

/// False where there is nothing.
bool look_at(const fs::path& path, struct stat& status) {
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  fail(path, "cannot be looked at", errno);
}

void check(const std::error_code& error, const fs::path& path, std::string_view what) {
  if (error) fail(path, what, error.value());
}

}  // namespace

bool is_users_mistake(int reason) {
  switch (reason) {
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ENOTEMPTY:
    case ENAMETOOLONG:
    case ELOOP:
    case EBUSY:
    case ETXTBSY:
    case ENXIO:
    case EILSEQ: return true;
    default: return false;
  }
}

void fail(const fs::path& path, std::string_view what, int reason) {
  const std::string sentence = fmt::format("{}: {}: {}", path.string(), what, std::strerror(reason));
  if (is_users_mistake(reason)) throw UserError(sentence);
  if (reason == ENOSPC || reason == EDQUOT) throw DiskFull(sentence);
  throw MachineError(sentence);
}

bool exists(const fs::path& path) {
  struct stat status {};
  return look_at(path, status);
}

bool is_folder(const fs::path& path) {
  struct stat status {};
  return look_at(path, status) && S_ISDIR(status.st_mode);
}

bool is_regular(const fs::path& path) {
  struct stat status {};
  return look_at(path, status) && S_ISREG(status.st_mode);
}

std::optional<int> own_descriptor(const fs::path& link) {
  std::error_code none;
  if (fs::canonical(folder_of(link), none) != fmt::format("/proc/{}/fd", ::getpid())) return std::nullopt;
  const std::string number = link.filename().string();
  int descriptor = -1;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), descriptor);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  return descriptor;
}

bool is_stream(const fs::path& name) {
  if (name == "-" || own_descriptor(resolved(name))) return true;
  struct stat status {};
  return look_at(name, status) && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

std::uint64_t size(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) fail(file, "cannot be looked at", errno);
  return static_cast<std::uint64_t>(status.st_size);
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    found.push_back(entry->path());
  }
  check(error, folder, "cannot be listed");
  std::sort(found.begin(), found.end());
  return found;
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(without_slash(folder), error);
  // std::filesystem says nothing of a file that stands where the folder shall be.
  if (!error && !is_folder(folder)) error = std::make_error_code(std::errc::not_a_directory);
  check(error, folder, "the folder cannot be made");
}

void rename(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail(to, "cannot be made", errno);
}

void remove_all(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  check(error, path, "cannot be removed");
}

fs::path resolved(const fs::path& path) {
  fs::path at = path;
  for (int links = 0; links < kMostLinks; ++links) {
    std::error_code error;
    const fs::path target = fs::read_symlink(at, error);
    if (error) return at;  // no link, or nothing there
    if (fs::canonical(folder_of(at), error).native().starts_with("/proc/")) return at;
    at = target.is_absolute() ? target : at.parent_path() / target;
  }
  fail(path, "cannot be followed", ELOOP);
}

std::optional<Identity> identity(const fs::path& path) {
  struct stat status {};
  if (!look_at(path, status)) return std::nullopt;
  return Identity{status.st_dev, status.st_ino};
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void require_folder_for(const fs::path& file) {
  if (const fs::path folder = folder_of(file); !is_folder(folder)) {
    throw UserError(
        fmt::format("{}: there is no folder {} to write it to: make it first", file.string(), folder.string()));
  }
}

fs::path without_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // a folder that may be searched but not read: nothing more can be done
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace sgpt::files
