// Zip archives whose entries are stored as they are, as torch.save writes them (APPNOTE.TXT 6.3, zip64 included).
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>

namespace sgpt {

/// Name to content. The contents are views into `bytes`. Throws UserError when the archive is broken, compressed or
/// encrypted; `path` is for messages.
std::unordered_map<std::string, std::span<const std::byte>> read_zip(std::span<const std::byte> bytes,
                                                                     const std::filesystem::path& path);

}  // namespace sgpt
