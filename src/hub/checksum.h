// The two checksums by which a hub names a file's content.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace sgpt {

/// 64 hexadecimal digits are the SHA-256 of the content (large files); 40 are git's name of a blob, the SHA-1 of
/// "blob SIZE\0" and the content. Any other etag says nothing about the content.
bool is_checksum(std::string_view etag);

/// The checksum of a file, of the same kind as `etag`, in lower case. Throws MachineError when it can't be read.
std::string file_checksum(const std::filesystem::path& path, std::string_view etag);

}  // namespace sgpt
