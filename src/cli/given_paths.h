// Outputs that would destroy what a command reads, or each other, told before anything is computed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sgpt::cli {

/// A path as it was given. An empty one is none.
struct GivenPath {
  std::string option;  ///< "--input"
  std::filesystem::path path;
};

/// Files are compared, not names: links and other spellings do not hide one.
class GivenPaths {
 public:
  GivenPaths& reads(const std::string& option, const std::filesystem::path& file_or_folder);
  /// The files that make a folder a model.
  GivenPaths& reads_model(const std::string& option, const std::filesystem::path& folder);
  GivenPaths& writes(const std::string& option, const std::filesystem::path& file);
  /// Beside the file lies FILE.partial, and what `suffix` names, until it is whole.
  GivenPaths& writes_resumable(const std::string& option, const std::filesystem::path& file,
                               const std::string& suffix = "");
  /// A new folder, in which nothing else may be written.
  GivenPaths& makes_folder(const std::string& option, const std::filesystem::path& folder);
  /// A folder into which files are put, whatever is there.
  GivenPaths& fills_folder(const std::string& option, const std::filesystem::path& folder);

  /// Throws UserError when an output is an input or another output, a folder lies in one that is read, or something in
  /// a new folder.
  void check() const;

 private:
  std::vector<GivenPath> inputs_;
  std::vector<GivenPath> outputs_;
  std::vector<GivenPath> folders_;
  std::vector<GivenPath> new_folders_;
};

}  // namespace sgpt::cli
