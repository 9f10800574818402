#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/bus_errors.h"
#include "base/filesystem.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// Calls again what a signal interrupted.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

File::File(int descriptor, std::filesystem::path name) : descriptor_(descriptor), name_(std::move(name)) {}

File File::open(const std::filesystem::path& path, int flags, std::string_view what, mode_t mode) {
  File file(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }), path);
  if (!file) file.fail(what);
  return file;
}

File File::nameless(const std::filesystem::path& folder) {
  std::string pattern = (folder / ".sgpt-XXXXXX").string();
  File file(::mkostemp(pattern.data(), O_CLOEXEC), folder);
  if (!file) file.fail("no file can be written in this folder");
  ::unlink(pattern.c_str());
  return file;
}

File::File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), name_(std::move(other.name_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(name_, other.name_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void File::fail_writing(std::span<const std::byte> rest) const {
  const int reason = errno;
  // What a program would learn by a bus error the kernel says like this: bytes of a mapped file that was cut.
  const char* mapped = reason == EFAULT ? file_mapped_at(rest.data()) : nullptr;
  if (mapped) {
    throw MachineError(fmt::format("{}: reading failed: the file became shorter while it was in use", mapped));
  }
  files::fail(name_, "writing failed", reason);
}

void File::fail(std::string_view what) const { files::fail(name_, what, errno); }

std::size_t File::read_some(std::span<std::byte> target) {
  const ssize_t got = uninterrupted([&] { return ::read(descriptor_, target.data(), target.size()); });
  if (got < 0) fail("reading failed");
  return static_cast<std::size_t>(got);
}

void File::read_all_at(std::span<std::byte> target, std::int64_t offset) const {
  while (!target.empty()) {
    const ssize_t got = uninterrupted([&] { return ::pread(descriptor_, target.data(), target.size(), offset); });
    if (got < 0) fail("reading failed");
    if (got == 0) throw MachineError(fmt::format("{}: reading failed: the file became shorter", name_.string()));
    target = target.subspan(static_cast<std::size_t>(got));
    offset += got;
  }
}

void File::write_all(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = uninterrupted([&] { return ::write(descriptor_, bytes.data(), bytes.size()); });
    if (written < 0) fail_writing(bytes);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void File::write_all(std::string_view bytes) { write_all(std::as_bytes(std::span(bytes))); }

void File::write_all_at(std::span<const std::byte> bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = uninterrupted([&] { return ::pwrite(descriptor_, bytes.data(), bytes.size(), offset); });
    if (written < 0) fail_writing(bytes);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += written;
  }
}

struct stat File::status() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail("cannot be looked at");
  return status;
}

void File::resize(std::int64_t size) {
  if (::ftruncate(descriptor_, size) != 0 || ::lseek(descriptor_, size, SEEK_SET) < 0) fail("cannot be cut");
}

void File::sync() const {
  if (::fsync(descriptor_) == 0) return;
  if (errno != EINVAL && errno != EROFS) fail("writing failed");  // those: a pipe or a device, which has no disk
}

bool File::try_lock() const {
  if (uninterrupted([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) == 0) return true;
  if (errno != EWOULDBLOCK) fail("cannot be locked");
  return false;
}

void File::lock() const {
  if (uninterrupted([&] { return ::flock(descriptor_, LOCK_EX); }) != 0) fail("cannot be locked");
}

void File::take_permissions(const std::filesystem::path& of) const {
  struct stat before {};
  if (::stat(of.c_str(), &before) != 0) return;
  [[maybe_unused]] const int may_be_refused = ::fchown(descriptor_, before.st_uid, before.st_gid);
  ::fchmod(descriptor_, before.st_mode & 07777);  // after it: a change of owner takes some of them away
}

void File::close() {
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) fail("writing failed");
}

}  // namespace sgpt
