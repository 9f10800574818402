// The bytes of a file or of stdin as a stream; a gzip file (known by its first two bytes) is unpacked on the way.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace sgpt {

class ByteSource {
 public:
  /// Opens a file, or stdin ("-"). Throws UserError when the file is missing, a folder, or not readable.
  explicit ByteSource(const std::filesystem::path& path);
  ~ByteSource();
  ByteSource(ByteSource&&) noexcept;

  /// Fills the front of `target` and returns how many bytes; 0 at the end only. Throws MachineError when reading fails,
  /// UserError when a gzip file is truncated or broken.
  std::size_t read(std::span<std::byte> target);

  const std::string& name() const;  ///< for messages

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sgpt
