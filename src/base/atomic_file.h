// Files that appear under their name only when they are whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace sgpt {

/// Writes `target`.partial-PID beside the target; commit() flushes it to the disk and renames it. Destroyed without
/// commit(), it leaves nothing behind. Throws MachineError, naming file and reason, when the disk is full or not
/// writable, UserError when the folder does not exist.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view text);
  void write(std::span<const std::byte> bytes);
  void commit();

 private:
  void flush();
  [[noreturn]] void fail(int reason) const;

  std::filesystem::path target_;
  std::filesystem::path partial_;
  std::string buffer_;
  int descriptor_ = -1;
};

/// The whole text under that name, or nothing.
void write_file(const std::filesystem::path& target, std::string_view text);

/// Makes a rename or a new file in this folder last through a power cut.
void sync_folder(const std::filesystem::path& folder);

}  // namespace sgpt
