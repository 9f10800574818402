#include "cli/given_paths.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/filesystem.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

/// What is behind a name; "-" is a standard stream, behind which a shell may have put a file.
std::optional<struct stat> behind(const fs::path& path, int standard_stream) {
  struct stat status {};
  const bool there = path == "-" ? ::fstat(standard_stream, &status) == 0 : ::stat(path.c_str(), &status) == 0;
  return there ? std::optional(status) : std::nullopt;
}

/// The same where it keeps what is written: pipes and devices do not.
std::optional<files::Identity> kept(const fs::path& path, int standard_stream) {
  const auto status = behind(path, standard_stream);
  if (!status || !(S_ISREG(status->st_mode) || S_ISDIR(status->st_mode))) return std::nullopt;
  return files::Identity{status->st_dev, status->st_ino};
}

/// Where a file that is not there yet will be.
fs::path place(const fs::path& path) {
  std::error_code none;
  return fs::weakly_canonical(files::resolved(files::without_slash(path)), none);
}

bool are_one(const fs::path& output, const fs::path& other, int standard_stream_of_other) {
  const auto here = kept(output, STDOUT_FILENO);
  const auto there = kept(other, standard_stream_of_other);
  if (here || there) return here == there;
  if (output == "-" || other == "-") return false;
  return !files::exists(output) && !files::exists(other) && place(output) == place(other);
}

/// Whether two outputs would run into each other in a stream. A device such as /dev/null takes any number.
bool share_a_stream(const fs::path& one, const fs::path& other) {
  const auto descriptor = [](const fs::path& path) {
    return path == "-" ? std::optional(STDOUT_FILENO) : files::own_descriptor(files::resolved(path));
  };
  if (const auto number = descriptor(one)) {
    if (number == descriptor(other)) return true;
  }
  const auto here = behind(one, STDOUT_FILENO);
  const auto there = behind(other, STDOUT_FILENO);
  return here && there && S_ISFIFO(here->st_mode) && here->st_dev == there->st_dev && here->st_ino == there->st_ino;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  const auto outer = kept(folder, STDIN_FILENO);
  const fs::path outer_place = place(folder);
  for (fs::path at = place(path); at.has_relative_path(); at = at.parent_path()) {
    if (outer ? kept(at, STDIN_FILENO) == outer : at == outer_place) return true;
  }
  return false;
}

std::string shown(const GivenPath& given) { return fmt::format("{} {}", given.option, given.path.string()); }

bool makes_a_model(const fs::path& file) {
  static constexpr std::array<std::string_view, 14> kNames{"config.json",
                                                           "modules.json",
                                                           "tokenizer.json",
                                                           "tokenizer_config.json",
                                                           "special_tokens_map.json",
                                                           "added_tokens.json",
                                                           "vocab.json",
                                                           "merges.txt",
                                                           "generation_config.json",
                                                           "sentence_bert_config.json",
                                                           "config_sentence_transformers.json",
                                                           "sgpt_config.json",
                                                           "adapter_config.json",
                                                           "README.md"};
  const std::string name = file.filename().string();
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() || name.ends_with(".safetensors") ||
         name.ends_with(".bin") || name.ends_with(".index.json");
}

}  // namespace

GivenPaths& GivenPaths::reads(const std::string& option, const fs::path& file_or_folder) {
  if (!file_or_folder.empty()) inputs_.push_back({option, file_or_folder});
  return *this;
}

GivenPaths& GivenPaths::reads_model(const std::string& option, const fs::path& folder) {
  std::error_code none;
  if (!fs::is_directory(folder, none)) return *this;  // said better by who reads it
  reads(option, folder);
  for (const fs::path& entry : files::entries(folder)) {
    if (makes_a_model(entry)) reads(option, entry);
    if (fs::is_directory(entry, none) && entry.filename().string().find('_') != std::string::npos) {
      reads(option, entry / "config.json");  // of a module: 1_Pooling
    }
  }
  return *this;
}

GivenPaths& GivenPaths::writes(const std::string& option, const fs::path& file) {
  if (!file.empty()) outputs_.push_back({option, file});
  return *this;
}

GivenPaths& GivenPaths::writes_resumable(const std::string& option, const fs::path& file, const std::string& suffix) {
  writes(option, file);
  if (file.empty() || files::is_stream(file)) return *this;  // nothing lies beside a stream
  const fs::path target = files::resolved(file);
  for (const std::string& beside : {std::string(".partial"), suffix}) {
    if (!beside.empty()) writes(option, target.string() + beside);
  }
  return *this;
}

GivenPaths& GivenPaths::makes_folder(const std::string& option, const fs::path& folder) {
  if (!folder.empty()) new_folders_.push_back({option, folder});
  return fills_folder(option, folder);
}

GivenPaths& GivenPaths::fills_folder(const std::string& option, const fs::path& folder) {
  if (!folder.empty()) folders_.push_back({option, folder});
  return writes(option, folder);
}

void GivenPaths::check() const {
  for (auto output = outputs_.begin(); output != outputs_.end(); ++output) {
    for (const GivenPath& input : inputs_) {
      if (!are_one(output->path, input.path, STDIN_FILENO)) continue;
      throw UserError(fmt::format("{} and {} are one and the same: it would be written over; name another output",
                                  shown(*output), shown(input)));
    }
    for (auto other = outputs_.begin(); other != output; ++other) {
      if (!share_a_stream(output->path, other->path) && !are_one(output->path, other->path, STDOUT_FILENO)) continue;
      throw UserError(fmt::format("{} and {} are one and the same, but hold different things; name two", shown(*other),
                                  shown(*output)));
    }
  }
  for (const GivenPath& folder : folders_) {
    if (folder.path == "-") {
      throw UserError(fmt::format("{}: a folder is written here, which stdout cannot take; name one", shown(folder)));
    }
    for (const GivenPath& input : inputs_) {
      if (!lies_in(folder.path, input.path)) continue;
      throw UserError(
          fmt::format("{} lies in {}, which is read; name a folder elsewhere", shown(folder), shown(input)));
    }
  }
  for (const GivenPath& folder : new_folders_) {
    for (const GivenPath& output : outputs_) {
      if (output.path == "-" || output.path == folder.path || !lies_in(output.path, folder.path)) continue;
      throw UserError(fmt::format("{} lies in {}, which must be empty until it is whole; name a place beside it",
                                  shown(output), shown(folder)));
    }
  }
}

}  // namespace sgpt::cli
