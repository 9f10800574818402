// Where the golden numbers lie, and the cases found there.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace sgpt::testing {

/// The folder named in SGPT_FIXTURES, by default ../shared/fixtures beside the repository.
inline std::filesystem::path fixtures() {
  if (const char* folder = std::getenv("SGPT_FIXTURES")) return folder;
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "shared" / "fixtures";
}

/// The folders in fixtures()/kind ("models", "tokenizers"), sorted; none when there are no fixtures: then skip and say
/// so.
inline std::vector<std::filesystem::path> fixture_folders(const char* kind) {
  std::vector<std::filesystem::path> folders;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(fixtures() / kind, none)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace sgpt::testing
