// Files that appear under their name only when they are whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/output_target.h"
#include "base/partial.h"

namespace sgpt {

/// Writes a Partial beside the target; commit() flushes it to the disk and renames it. Destroyed without commit(), it
/// leaves nothing behind. What is there and no regular file (a device, a FIFO, stdout for "-") is written into; a link
/// stays one, and a file that is replaced keeps its permissions. Throws MachineError, naming file and reason, when the
/// disk is full or fails, UserError when the folder does not exist or the file may not be written.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view text);
  void write(std::span<const std::byte> bytes);
  void flush();  ///< a stream's reader has then what was written
  void commit();

 private:
  File& file() { return partial_ ? partial_->file() : target_.stream; }

  OutputTarget target_;
  std::optional<Partial> partial_;
  std::string buffer_;
};

/// The whole text under that name, or nothing.
void write_file(const std::filesystem::path& target, std::string_view text);

}  // namespace sgpt
