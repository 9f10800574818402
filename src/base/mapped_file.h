// A file read through memory mapping.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/bus_errors.h"

namespace sgpt {

class File;

/// Maps a whole file read-only. An empty file has an empty view. Movable; the bytes keep their place.
class MappedFile {
 public:
  MappedFile() = default;
  /// Throws UserError when the file is missing, no regular file, or not readable.
  explicit MappedFile(const std::filesystem::path& path);
  /// An open file, which the caller may close; `path` is its name in messages.
  MappedFile(const File& file, std::filesystem::path path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }
  /// Never a null pointer, which some parsers must not be given even for no bytes.
  std::string_view text() const {
    return size_ == 0 ? std::string_view("") : std::string_view(static_cast<const char*>(data_), size_);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
  NamedMapping mapping_;
};

/// Gives back the memory of the whole pages in a piece of a MappedFile that was read and is not needed soon: without it
/// a model's file stays resident beside its packed weights. What is touched again is read again.
void drop_pages(std::span<const std::byte> mapped);

}  // namespace sgpt
