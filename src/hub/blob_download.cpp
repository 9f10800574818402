#include "hub/blob_download.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/file.h"
#include "base/filesystem.h"
#include "base/log.h"
#include "hub/checksum.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// The growing file. Stays when it is closed, so that the next run goes on with it.
class PartialFile {
 public:
  explicit PartialFile(const std::filesystem::path& path) {
    files::make_folders(path.parent_path());
    file_ = File::open(path, O_WRONLY | O_CREAT | O_NOFOLLOW);
    resize(file_.size());
  }

  std::int64_t size() const { return size_; }

  /// Cuts the file there; what is written next follows.
  void resize(std::int64_t size) {
    file_.resize(size);
    size_ = size;
  }

  void write(std::string_view bytes) try {
    file_.write_all(bytes);
    size_ += static_cast<std::int64_t>(bytes.size());
  } catch (const DiskFull& error) {
    throw DiskFull(
        fmt::format("{}; make room, or set HF_HUB_CACHE to a folder on another disk; the same command goes "
                    "on with what is there",
                    error.what()));
  }

  void flush() const { file_.sync(); }

 private:
  File file_;
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
  files::rename(path, cache.blob(file.etag));
  files::sync_folder(path.parent_path());
}

}  // namespace sgpt
