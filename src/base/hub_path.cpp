#include "base/hub_path.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolder = "models--";

/// The folder models--ORG--NAME that a path lies in, and the part of the path behind snapshots/.
struct Place {
  fs::path repository;
  std::string commit;
};

std::optional<Place> place_of(const fs::path& path) {
  std::error_code none;
  const fs::path whole = fs::absolute(path, none).lexically_normal();
  fs::path before;
  for (auto part = whole.begin(); part != whole.end(); ++part) {
    before /= *part;
    if (!part->string().starts_with(kFolder)) continue;
    const auto snapshots = std::next(part);
    if (snapshots == whole.end() || *snapshots != "snapshots") continue;
    const auto commit = std::next(snapshots);
    if (commit != whole.end() && !commit->empty()) return Place{before, commit->string()};
  }
  return std::nullopt;
}

std::string id_of(const fs::path& repository) {
  const std::string name = repository.filename().string().substr(kFolder.size());
  const std::size_t slash = name.find("--");
  return slash == name.npos ? name : fmt::format("{}/{}", name.substr(0, slash), name.substr(slash + 2));
}

bool is_link(const fs::path& path) {
  std::error_code none;
  return fs::is_symlink(fs::symlink_status(path, none));
}

}  // namespace

std::optional<HubPath> hub_path(const fs::path& path) {
  const auto place = place_of(path);
  if (!place) return std::nullopt;
  return HubPath{id_of(place->repository), place->commit};
}

std::string model_shown(const fs::path& folder) {
  const auto place = hub_path(folder);
  return place ? place->id : folder.string();
}

std::string repair_advice(const fs::path& file) {
  const auto place = place_of(file);
  if (!place) return "";
  std::string main;
  std::ifstream(place->repository / "refs" / "main") >> main;
  const std::string revision = main == place->commit ? "" : "@" + place->commit;
  std::error_code none;
  const fs::path blob = fs::read_symlink(file, none);
  const std::string which =
      blob.empty() ? "" : fmt::format(" (its blob is {})", (file.parent_path() / blob).lexically_normal().string());
  return fmt::format("; sgpt pull {}{} compares it with the hub's and fetches it again{}", id_of(place->repository),
                     revision, which);
}

bool readable(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw UserError(fmt::format("{}: cannot be looked at: {}", path.string(), std::strerror(errno)));
}

bool present(const fs::path& path) {
  if (readable(path)) return true;
  if (!is_link(path)) return false;
  std::error_code none;
  throw UserError(fmt::format("{}: is a link to {}, which is not there{}", path.string(),
                              fs::read_symlink(path, none).string(), repair_advice(path)));
}

}  // namespace sgpt
