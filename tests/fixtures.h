// Where the repository and the golden numbers lie, and the cases found there.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sgpt::testing {

/// The source folder that the tests were built from.
std::filesystem::path repository();

/// tests/golden, which every clone has, then the folders of SGPT_FIXTURES (colons between them), by default
/// ../shared/fixtures and ../shared/fixtures-family beside the repository, where they are there.
std::vector<std::filesystem::path> fixture_roots();

/// What lies in the folder `kind` ("models", "tokenizers", "metrics") of every root, sorted within it. Throws when a
/// root that was named is missing.
std::vector<std::filesystem::path> fixtures(const std::string& kind);

/// The same of the decoders of today, whose cases name calls and prompts: of tests/golden (kinds "…-today") and of
/// ../shared/fixtures-today, or the folder in SGPT_FIXTURES_TODAY.
std::vector<std::filesystem::path> today_fixtures(const std::string& kind);

}  // namespace sgpt::testing
