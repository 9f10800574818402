#include "hub/hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include "base/filesystem.h"
#include "base/log.h"
#include "base/progress.h"
#include "hub/blob_download.h"
#include "hub/cache.h"
#include "hub/client.h"
#include "hub/names.h"
#include "hub/selection.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

/// Rounded up, so that the end is the total.
std::int64_t megabytes(std::int64_t bytes) {
  constexpr std::int64_t kMegabyte = 1000000;
  return (bytes + kMegabyte - 1) / kMegabyte;
}

std::int64_t bytes_there(const std::filesystem::path& path) {
  std::error_code missing;
  const auto size = std::filesystem::file_size(path, missing);
  return missing ? 0 : static_cast<std::int64_t>(size);
}

/// Everything that is to be fetched of one commit.
class Fetch {
 public:
  Fetch(const HubOptions& options, const HubName& name, const ModelCache& cache)
      : options_(options), name_(name), cache_(cache), client_(options, name) {}

  std::filesystem::path run() {
    const HubListing listing = client_.list();
    commit_ = listing.commit;
    auto snapshot = cache_.snapshot(commit_);
    Selection selection = select_files(name_.text(), listing.files);
    fetch(selection.indexes);
    const std::set<std::string> listed(listing.files.begin(), listing.files.end());
    for (const auto& index : selection.indexes) {
      for (auto& shard : shards_of(snapshot, index)) {
        if (!listed.contains(shard)) {
          throw UserError(
              fmt::format("{}: {} names a file {} that the hub does not list", name_.text(), index, printable(shard)));
        }
        selection.files.push_back(std::move(shard));
      }
    }
    fetch(selection.files);
    const ModelCache::Lock lock(cache_, "refs");
    cache_.write_commit(commit_);  // last: a revision in the cache is a whole one
    return snapshot;
  }

 private:
  /// Links what is in the cache, downloads the rest.
  void fetch(const std::vector<std::string>& files) {
    std::vector<HubFile> missing;
    for (const auto& name : files) {
      if (files::exists(cache_.snapshot(commit_) / name)) continue;
      HubFile file = client_.describe(commit_, name);
      if (files::exists(cache_.blob(file.etag))) {
        const ModelCache::Lock lock(cache_, file.etag);
        cache_.link(commit_, file.name, file.etag);
      } else {
        missing.push_back(std::move(file));
      }
    }
    if (missing.empty()) return;
    const std::int64_t total = require_room(missing);
    log::info(fmt::format("Downloading {} of {} from {} into {}", files_text(missing), name_.text(), options_.endpoint,
                          cache_.folder().string()));
    Progress progress("Downloading", "MB", megabytes(total));
    std::int64_t done = 0;
    for (const auto& file : missing) done += download(file, done, progress);
  }

  /// Returns the file's size.
  std::int64_t download(const HubFile& file, std::int64_t done, Progress& progress) {
    const ModelCache::Lock lock(cache_, file.etag);
    const auto blob = cache_.blob(file.etag);
    const auto show = [&](std::int64_t bytes) { progress.update(megabytes(done + bytes), file.name); };
    if (!files::exists(blob)) {  // another process may have been faster
      show(bytes_there(cache_.incomplete(file.etag)));
      download_blob(client_, options_, cache_, commit_, file, show);
    }
    cache_.link(commit_, file.name, file.etag);
    const std::int64_t size = bytes_there(blob);
    show(size);
    return size;
  }

  /// The size of all the files, 0 where one is not known; before hours of download, a look whether they will fit.
  std::int64_t require_room(const std::vector<HubFile>& files) const {
    std::int64_t total = 0;
    std::int64_t to_come = 0;
    for (const auto& file : files) {
      if (!file.size || *file.size > (std::int64_t{1} << 60) - total) return 0;
      total += *file.size;
      to_come += std::max<std::int64_t>(0, *file.size - bytes_there(cache_.incomplete(file.etag)));
    }
    files::make_folders(cache_.folder());
    std::error_code unknown;
    const auto space = std::filesystem::space(cache_.folder(), unknown);
    if (!unknown && space.available < static_cast<std::uintmax_t>(to_come)) {
      throw MachineError(
          fmt::format("{}: {} needs {:.1f} GB more, the disk has {:.1f} GB left; make room, or set "
                      "HF_HUB_CACHE to a folder on another disk",
                      cache_.folder().string(), name_.text(), static_cast<double>(to_come) / 1e9,
                      static_cast<double>(space.available) / 1e9));
    }
    return total;
  }

  static std::string files_text(const std::vector<HubFile>& files) {
    return files.size() == 1 ? files[0].name : fmt::format("{} files", files.size());
  }

  const HubOptions& options_;
  const HubName& name_;
  const ModelCache& cache_;
  HubClient client_;
  std::string commit_;
};

[[noreturn]] void refuse_offline(const HubName& name, const HubOptions& options, const std::string& why) {
  throw UserError(
      fmt::format("{}: {} in the hub cache {}, and HF_HUB_OFFLINE forbids to download; unset it, or fetch the "
                  "model with sgpt pull {} where there is a network",
                  name.text(), why, options.cache.string(), name.text()));
}

std::filesystem::path resolve_hub_name(const HubName& name, const HubOptions& options) {
  const ModelCache cache(options.cache, name);
  const auto commit = cache.commit();
  const auto missing = commit ? missing_file(cache.snapshot(*commit)) : std::nullopt;
  const bool cached = commit && !missing;
  if (cached && (options.offline || !options.update)) return cache.snapshot(*commit);
  if (options.offline) refuse_offline(name, options, missing ? "there is no " + *missing + " of it" : "it is not");
  try {
    return Fetch(options, name, cache).run();
  } catch (const NetworkError& error) {
    if (!cached) throw;
    log::warning(fmt::format("{}; taking what is in the cache, which may not be the newest", error.what()));
    return cache.snapshot(*commit);
  }
}

/// The folder of that name, if there is one.
std::optional<std::filesystem::path> local_folder(const std::string& name) {
  std::error_code none;
  if (std::filesystem::is_directory(name, none)) return name;
  if (std::filesystem::exists(name, none)) {
    throw UserError(fmt::format("{}: is a file; expected the folder of a model, or the name of one on a hub", name));
  }
  return std::nullopt;
}

}  // namespace

std::filesystem::path resolve_model(const std::string& name, const HubOptions& options) {
  if (const auto folder = local_folder(name)) return *folder;
  try {
    return resolve_hub_name(parse_hub_name(name), options);
  } catch (const std::filesystem::filesystem_error& error) {
    throw MachineError(fmt::format("{}: the hub cache cannot be used: {}", name, error.what()));
  }
}

std::filesystem::path resolve_model(const std::string& name) {
  return resolve_model(name, hub_options_from_environment());
}

}  // namespace sgpt
