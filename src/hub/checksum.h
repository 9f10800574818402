// The two checksums by which a hub names a file's content.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace sgpt {

/// 64 hexadecimal digits are the SHA-256 of the content (large files); 40 are git's name of a blob, the SHA-1 of
/// "blob SIZE\0" and the content. Any other etag says nothing about the content.
bool is_checksum(std::string_view etag);

/// The checksum of a file, of the same kind as `etag`, in lower case. Throws MachineError when it can't be read.
std::string file_checksum(const std::filesystem::path& path, std::string_view etag);

/// What is wrong with the content of a file that should have `size` bytes (where known) and, where `etag` is a
/// checksum, that one: "has 7 bytes; expected 9". Nothing when it is right.
/// `name`: what the file is called to people. Throws MachineError when it can't be read.
std::optional<std::string> content_fault(const std::filesystem::path& path, const std::string& name,
                                         std::optional<std::int64_t> size, const std::string& etag);

}  // namespace sgpt
