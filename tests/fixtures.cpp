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

std::vector<fs::path> fixtures(const std::string& kind) {
  std::vector<fs::path> found;
  for (const fs::path& root : fixture_roots()) {
    if (!fs::is_directory(root)) throw std::runtime_error("SGPT_FIXTURES: there is no folder " + root.string());
    if (!fs::is_directory(root / kind)) continue;
    std::vector<fs::path> here;
    for (const auto& entry : fs::directory_iterator(root / kind)) here.push_back(entry.path());
    std::sort(here.begin(), here.end());
    found.insert(found.end(), here.begin(), here.end());
  }
  return found;
}

}  // namespace sgpt::testing
