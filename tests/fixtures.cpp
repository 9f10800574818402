#include "fixtures.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace sgpt::testing {

namespace fs = std::filesystem;

fs::path repository() { return SGPT_SOURCE_FOLDER; }

std::vector<fs::path> fixture_roots() {
  std::vector<fs::path> roots{repository() / "tests" / "golden"};
  if (const char* named = std::getenv("SGPT_FIXTURES")) {
    std::istringstream folders(named);
    for (std::string folder; std::getline(folders, folder, ':');) {
      if (!folder.empty()) roots.emplace_back(folder);
    }
  } else {
    for (const char* name : {"fixtures", "fixtures-family"}) {
      const fs::path beside = repository().parent_path() / "shared" / name;
      if (fs::exists(beside)) roots.push_back(beside);
    }
  }
  return roots;
}

namespace {

/// What lies in a folder, sorted.
std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> here;
  if (!fs::is_directory(folder)) return here;
  for (const auto& entry : fs::directory_iterator(folder)) here.push_back(entry.path());
  std::sort(here.begin(), here.end());
  return here;
}

}  // namespace

std::vector<fs::path> fixtures(const std::string& kind) {
  std::vector<fs::path> found;
  for (const fs::path& root : fixture_roots()) {
    if (!fs::is_directory(root)) throw std::runtime_error("SGPT_FIXTURES: there is no folder " + root.string());
    for (const fs::path& entry : sorted_entries(root / kind)) found.push_back(entry);
  }
  return found;
}

std::vector<fs::path> today_fixtures(const std::string& kind) {
  const char* named = std::getenv("SGPT_FIXTURES_TODAY");
  const fs::path root = named ? fs::path(named) : repository().parent_path() / "shared" / "fixtures-today";
  if (named && !fs::is_directory(root)) {
    throw std::runtime_error("SGPT_FIXTURES_TODAY: there is no folder " + root.string());
  }
  std::vector<fs::path> found = sorted_entries(repository() / "tests" / "golden" / (kind + "-today"));
  for (const fs::path& entry : sorted_entries(root / kind)) found.push_back(entry);
  return found;
}

}  // namespace sgpt::testing
