#include "hub/blob_download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "base/atomic_file.h"
#include "base/log.h"
#include "hub/checksum.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// The growing file. Stays when it is closed, so that the next run goes on with it.
class PartialFile {
 public:
  explicit PartialFile(std::filesystem::path path) : path_(std::move(path)) {
    make_folders(path_.parent_path());
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor_ < 0) fail("cannot be opened");
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) fail("cannot be looked at");
    resize(status.st_size);
  }
  ~PartialFile() { ::close(descriptor_); }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  std::int64_t size() const { return size_; }

  /// Cuts the file there; what is written next follows.
  void resize(std::int64_t size) {
    if (::ftruncate(descriptor_, size) != 0 || ::lseek(descriptor_, size, SEEK_SET) < 0) fail("cannot be cut");
    size_ = size;
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("writing failed");
      size_ += written;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void flush() const {
    if (::fsync(descriptor_) != 0) fail("writing failed");
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    const int reason = errno;
    const char* advice = reason == ENOSPC || reason == EDQUOT
                             ? "; make room, or set HF_HUB_CACHE to a folder on another disk; the same command goes on "
                               "with what is there"
                             : "";
    throw MachineError(fmt::format("{}: {}: {}{}", path_.string(), what, std::strerror(reason), advice));
  }

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

[[noreturn]] void discard(const std::filesystem::path& path, const HubFile& file, const std::string& what) {
  std::error_code none;
  std::filesystem::remove(path, none);
  throw MachineError(
      fmt::format("{}: {}; the broken download was deleted, and the same command begins it anew", file.name, what));
}

void fetch_once(HubClient& client, const std::string& commit, const HubFile& file, PartialFile& partial,
                const std::filesystem::path& path, const std::function<void(std::int64_t)>& on_bytes) {
  client.read(
      commit, file.name, partial.size(), [&](std::int64_t start) { partial.resize(start); },
      [&](std::string_view bytes) {
        partial.write(bytes);
        if (file.size && partial.size() > *file.size) {
          discard(path, file, fmt::format("the server sends more than the {} bytes that it announced", *file.size));
        }
        on_bytes(partial.size());
      });
  if (file.size && partial.size() < *file.size) {
    throw NetworkError(
        fmt::format("{}: the connection ended after {} of {} bytes", file.name, partial.size(), *file.size));
  }
}

}  // namespace

void download_blob(HubClient& client, const HubOptions& options, const ModelCache& cache, const std::string& commit,
                   const HubFile& file, const std::function<void(std::int64_t)>& on_bytes) {
  const auto path = cache.incomplete(file.etag);
  PartialFile partial(path);
  if (file.size && partial.size() > *file.size) partial.resize(0);  // some other program's
  std::int64_t furthest = partial.size();
  bool complete = file.size && partial.size() == *file.size;
  for (Retry retry(options); !complete;) {
    try {
      fetch_once(client, commit, file, partial, path, on_bytes);
      complete = true;
    } catch (const NetworkError& error) {
      if (partial.size() > furthest) retry.progress_made();
      furthest = std::max(furthest, partial.size());
      retry.wait_after(error);
    }
  }
  partial.flush();
  if (const auto fault = content_fault(path, file.name, file.size, file.etag)) {
    discard(path, file, fmt::format("what was downloaded {}", *fault));
  }
  std::error_code error;
  std::filesystem::rename(path, cache.blob(file.etag), error);
  if (error) throw MachineError(fmt::format("{}: cannot be renamed: {}", path.string(), error.message()));
  sync_folder(path.parent_path());
}

}  // namespace sgpt
