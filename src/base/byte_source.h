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
  /// Bytes in memory, which must outlive the source; `name` is for messages.
  ByteSource(std::string name, std::span<const std::byte> bytes);
  ~ByteSource();
  ByteSource(ByteSource&&) noexcept;

  /// Fills the front of `target` and returns how many bytes; 0 at the end only. Throws MachineError when reading fails,
  /// UserError when a gzip file is truncated or broken, or the file is packed in another way.
  std::size_t read(std::span<std::byte> target);

  /// Whether it is a gzip file; may read its first bytes, which read() gives nevertheless.
  bool packed();

  const std::string& name() const;  ///< for messages

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Throws UserError when there is no such file, or it is a folder or not readable: to be told before long work. Opens
/// nothing, since a pipe can be opened but once.
void require_readable(const std::filesystem::path& file);

/// The file, or where it is missing the one beside it that is packed with gzip (NAME.gz for NAME), or unpacked (NAME
/// for NAME.gz); the file itself where there is neither.
std::filesystem::path packed_or_plain(const std::filesystem::path& file);

}  // namespace sgpt
