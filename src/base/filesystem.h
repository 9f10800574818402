// The file system, where every failure is one sentence that names the path; std::filesystem's own errors are made for
// programmers. Links are followed throughout.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "sgpt/error.h"

namespace sgpt {

/// No room on the disk, or in the user's share of it.
class DiskFull : public MachineError {
 public:
  using MachineError::MachineError;
};

}  // namespace sgpt

namespace sgpt::files {

/// Of an errno: whether the user can mend it (permission, a missing parent, a folder for a file or a file for a folder,
/// a name too long, a loop of links).
bool is_users_mistake(int reason);

/// Throws "PATH: WHAT: the reason": UserError for a user's mistake, DiskFull, or else MachineError.
[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int reason);

/// False where there is nothing; UserError where that cannot be told (no permission, a loop of links).
bool exists(const std::filesystem::path& path);
bool is_folder(const std::filesystem::path& path);
bool is_regular(const std::filesystem::path& path);

/// The number behind /dev/stdout, /dev/fd/3 and what else leads to /proc/self/fd.
std::optional<int> own_descriptor(const std::filesystem::path& link);

/// Whether an output of this name goes into what is there: stdout for "-", a descriptor of this process, a FIFO or a
/// device.
bool is_stream(const std::filesystem::path& name);

std::uint64_t size(const std::filesystem::path& file);
/// What lies in a folder, sorted by name.
std::vector<std::filesystem::path> entries(const std::filesystem::path& folder);
/// The folder and those above it that are missing.
void make_folders(const std::filesystem::path& folder);
void rename(const std::filesystem::path& from, const std::filesystem::path& to);
/// With everything in it; nothing where there is nothing.
void remove_all(const std::filesystem::path& path);

/// Where a name leads when the links that it stands for are followed, also a last one whose target is missing. Those in
/// /proc only look like links and are not. Throws UserError for a loop of links.
std::filesystem::path resolved(const std::filesystem::path& path);

/// What a file or folder is, whatever its names.
struct Identity {
  dev_t device;
  ino_t number;
  bool operator==(const Identity&) const = default;
};

/// Nothing where there is nothing.
std::optional<Identity> identity(const std::filesystem::path& path);

/// The folder that a file of this name lies in: "." for a plain name.
std::filesystem::path folder_of(const std::filesystem::path& path);

/// Throws UserError where the folder of a file to be written is missing.
void require_folder_for(const std::filesystem::path& file);

/// Without a slash at the end, so that something can be appended to the name.
std::filesystem::path without_slash(const std::filesystem::path& path);

/// Makes a rename or a new file in this folder last through a power cut.
void sync_folder(const std::filesystem::path& folder);

}  // namespace sgpt::files
