#include "hub/hub.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include "base/filesystem.h"
#include "base/hub_path.h"
#include "base/log.h"
#include "base/progress.h"
#include "hub/blob_download.h"
#include "hub/cache.h"
#include "hub/checksum.h"
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

/// What of a commit is fetched.
enum class Want {
  missing,  ///< what the snapshot lacks
  sound     ///< that, and what differs from the hub's
};

/// Everything that is to be fetched of one commit.
class Fetch {
 public:
  Fetch(const HubOptions& options, const HubName& name, const ModelCache& cache, Want want)
      : options_(options), name_(name), cache_(cache), want_(want), client_(options, name) {}

  std::filesystem::path run() {
    const HubListing listing = client_.list();
    commit_ = listing.commit;
    const auto snapshot = cache_.snapshot(commit_);
    Selection selection = select_files(name_.text(), listing.files);
    // Weights that another program fetched in another form serve as well.
    const bool weights_too = want_ == Want::sound || lacking_in(snapshot, cache_.no_exist(commit_)).weights;
    if (weights_too) {
      fetch(selection.indexes);
      add_shards(listing, selection);
      selection.files.insert(selection.files.end(), selection.weights.begin(), selection.weights.end());
    }
    fetch(selection.files);
    for (const auto& file : lacking_in(snapshot, cache_.no_exist(commit_)).unknown) cache_.note_absent(commit_, file);
    const ModelCache::Lock lock(cache_, "refs");
    cache_.write_commit(commit_);  // last: a revision in the cache is a whole one
    return snapshot;
  }

 private:
  void add_shards(const HubListing& listing, Selection& selection) const {
    const std::set<std::string> listed(listing.files.begin(), listing.files.end());
    for (const auto& index : selection.indexes) {
      for (auto& shard : shards_of(cache_.snapshot(commit_), index)) {
        if (!listed.contains(shard)) {
          throw UserError(
              fmt::format("{}: {} names a file {} that the hub does not list", name_.text(), index, printable(shard)));
        }
        selection.weights.push_back(std::move(shard));
      }
    }
  }

  /// Whether a file that is there is the hub's.
  bool is_sound(const std::filesystem::path& path, const HubFile& file) const {
    const auto fault = content_fault(path, file.name, file.size, file.etag);
    if (fault) log::warning(fmt::format("{}: is damaged: {}; it is fetched again", path.string(), *fault));
    return !fault;
  }

  /// Links what is in the cache, downloads the rest.
  void fetch(const std::vector<std::string>& files) {
    std::vector<HubFile> missing;
    for (const auto& name : files) {
      const auto path = cache_.snapshot(commit_) / name;
      const bool there = readable(path);
      if (there && want_ == Want::missing) continue;
      HubFile file = client_.describe(commit_, name);
      if (there && is_sound(path, file)) continue;
      const auto blob = cache_.blob(file.etag);
      if (!there && readable(blob) && is_sound(blob, file)) {
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
    const bool there = readable(blob);  // another process may have been faster
    if (!there || content_fault(blob, file.name, file.size, file.etag)) {
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
  const Want want_;
  HubClient client_;
  std::string commit_;
};

[[noreturn]] void refuse_offline(const HubName& name, const HubOptions& options, const std::string& why) {
  throw UserError(
      fmt::format("{}: {} in the hub cache {}, and HF_HUB_OFFLINE forbids to download; unset it, or fetch the "
                  "model with sgpt pull {} where there is a network",
                  name.text(), why, options.cache.string(), name.text()));
}

/// Without a network: every file whose blob is named by its checksum is compared with that.
void require_sound(const std::filesystem::path& snapshot) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(snapshot)) {
    if (!entry.is_symlink() || !entry.is_regular_file()) continue;
    const auto blob = std::filesystem::read_symlink(entry.path()).filename().string();
    const auto fault = content_fault(entry.path(), entry.path().filename().string(), std::nullopt, blob);
    if (!fault) continue;
    throw UserError(fmt::format("{}: is damaged: {}; HF_HUB_OFFLINE forbids to fetch it again{}", entry.path().string(),
                                *fault, repair_advice(entry.path())));
  }
}

/// A model that can be loaded, but may be more than what another program fetched of it.
void complete(const HubName& name, const std::string& commit, const HubOptions& options, const ModelCache& cache,
              const std::vector<std::string>& unknown) {
  const std::string which = fmt::format("{}: {} {} not in the cache", name.text(), fmt::join(unknown, ", "),
                                        unknown.size() == 1 ? "is" : "are");
  if (options.offline) {
    log::info(fmt::format("{}, and HF_HUB_OFFLINE forbids to ask the hub for {}", which,
                          unknown.size() == 1 ? "it" : "them"));
    return;
  }
  HubOptions impatient = options;  // what is there may do
  impatient.attempts = 1;
  impatient.stall_limit = std::min<std::chrono::seconds>(options.stall_limit, std::chrono::seconds(10));
  const auto warn = [&](const std::exception& error) {
    log::warning(fmt::format("{}, and the hub could not be asked: {}; going on without", which, error.what()));
  };
  try {
    const HubName at_commit{name.id, commit};
    Fetch(impatient, at_commit, cache, Want::missing).run();
  } catch (const UserError& error) {
    warn(error);
  } catch (const MachineError& error) {
    warn(error);
  }
}

std::filesystem::path resolve_hub_name(const HubName& name, const HubOptions& options) {
  const ModelCache cache(options.cache, name);
  const auto commit = cache.commit();
  if (!commit) {
    if (options.offline) refuse_offline(name, options, "it is not");
    return Fetch(options, name, cache, Want::missing).run();
  }
  const auto snapshot = cache.snapshot(*commit);
  const Lacking lacking = lacking_in(snapshot, cache.no_exist(*commit));
  if (options.offline && lacking.needed) refuse_offline(name, options, "there is no " + *lacking.needed + " of it");
  if (lacking.needed && !options.update) {
    const HubName at_commit{name.id, *commit};
    return Fetch(options, at_commit, cache, Want::missing).run();
  }
  if (options.offline && options.update) require_sound(snapshot);
  if (options.offline || !options.update) {
    if (!lacking.unknown.empty()) complete(name, *commit, options, cache, lacking.unknown);
    return snapshot;
  }
  try {
    return Fetch(options, name, cache, Want::sound).run();
  } catch (const NetworkError& error) {
    if (lacking.needed) throw;
    log::warning(fmt::format("{}; taking what is in the cache, which may not be the newest", error.what()));
    return snapshot;
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
