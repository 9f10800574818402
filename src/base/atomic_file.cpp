#include "base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 20;

/// Writes all bytes; returns 0 or the reason of the failure.
int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& target) : target_(target) {
  std::error_code none;
  if (std::filesystem::is_directory(target, none)) {
    throw UserError(fmt::format("{}: is a folder; expected the name of a file to write", target.string()));
  }
  partial_ = target;
  partial_ += fmt::format(".partial-{}", ::getpid());
  descriptor_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int reason = errno;
    const std::string sentence = fmt::format("{}: cannot be written: {}", target.string(), std::strerror(reason));
    if (reason == ENOENT || reason == ENOTDIR || reason == EACCES || reason == EROFS) throw UserError(sentence);
    throw MachineError(sentence);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(partial_.c_str());
}

void AtomicFile::fail(int reason) const {
  throw MachineError(fmt::format("{}: writing failed: {}", target_.string(), std::strerror(reason)));
}

void AtomicFile::write(std::string_view text) {
  if (buffer_.size() + text.size() > kBufferSize) flush();
  if (text.size() >= kBufferSize) {
    if (const int reason = write_all(descriptor_, text)) fail(reason);
  } else {
    buffer_.append(text);
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::flush() {
  if (const int reason = write_all(descriptor_, buffer_)) fail(reason);
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  if (::fsync(descriptor_) != 0) fail(errno);
  const int descriptor = std::exchange(descriptor_, -1);
  const bool closed = ::close(descriptor) == 0;
  if (!closed || std::rename(partial_.c_str(), target_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(partial_.c_str());
    fail(reason);
  }
  sync_folder(target_.parent_path());
}

void write_file(const std::filesystem::path& target, std::string_view text) {
  AtomicFile file(target);
  file.write(text);
  file.commit();
}

void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // a folder that may be searched but not read: nothing more can be done
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace sgpt
