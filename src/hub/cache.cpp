#include "hub/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/log.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr mode_t kSharedFile = 0664;  // a cache may be shared by a group

std::string folder_name(const std::string& id) {
  const std::size_t slash = id.find('/');
  if (slash == id.npos) return "models--" + id;
  return "models--" + id.substr(0, slash) + "--" + id.substr(slash + 1);
}

}  // namespace

ModelCache::ModelCache(const std::filesystem::path& cache, const HubName& name)
    : cache_(cache), folder_(cache / folder_name(name.id)), revision_(name.revision) {
  if (cache.empty()) throw UserError("There is no folder for the hub cache: set HF_HUB_CACHE, HF_HOME or HOME");
}

std::filesystem::path ModelCache::incomplete(std::string_view etag) const {
  return folder_ / "blobs" / fmt::format("{}.incomplete", etag);
}

std::optional<std::string> ModelCache::commit() const {
  if (is_full_commit(revision_)) return revision_;
  std::ifstream file(folder_ / "refs" / revision_);
  std::string commit;
  if (!(file >> commit) || !is_plain_name(commit)) return std::nullopt;
  return commit;
}

void ModelCache::write_commit(const std::string& commit) const {
  if (this->commit() == commit) return;
  const auto path = folder_ / "refs" / revision_;
  files::make_folders(path.parent_path());
  write_file(path, commit);
}

void ModelCache::link(std::string_view commit, const std::string& file, std::string_view etag) const {
  const auto path = snapshot(commit) / file;
  files::make_folders(path.parent_path());
  const auto target = (folder_ / "blobs").lexically_relative(path.parent_path()) / etag;
  // Made beside and renamed: whoever looks sees the old file or the new one.
  auto fresh = path;
  fresh += fmt::format(".link-{}", ::getpid());
  ::unlink(fresh.c_str());
  if (::symlink(target.c_str(), fresh.c_str()) != 0) files::fail(path, "no symbolic link can be made", errno);
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(fresh.c_str());
    files::fail(path, "cannot be made", reason);
  }
}

void ModelCache::note_absent(std::string_view commit, const std::string& file) const {
  const auto path = no_exist(commit) / file;
  std::error_code none;
  std::filesystem::create_directories(path.parent_path(), none);
  const std::ofstream mark(path);
}

ModelCache::Lock::Lock(const ModelCache& cache, std::string_view what) {
  const auto folder = cache.cache_ / ".locks" / cache.folder_.filename();
  files::make_folders(folder);
  file_ = File::open(folder / fmt::format("{}.lock", what), O_RDWR | O_CREAT, "cannot be opened", kSharedFile);
  try {
    if (file_.try_lock()) return;
    log::info(fmt::format("Another process is downloading into {}: waiting for it", cache.folder_.string()));
    file_.lock();
  } catch (const MachineError& error) {
    throw MachineError(fmt::format("{}; set HF_HUB_CACHE to a folder on another disk", error.what()));
  }
}

}  // namespace sgpt
