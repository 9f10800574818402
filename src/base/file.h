// An open file: owns its descriptor, does whole reads and writes, locks and flushes. Every failure is one sentence that
// names the file (files::fail).
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace sgpt {

class File {
 public:
  File() = default;
  /// Takes over a descriptor; `name` is what errors call it.
  File(int descriptor, std::filesystem::path name);
  /// `flags` as open(2) has them, O_CLOEXEC added; `what` is what the error says when it fails.
  static File open(const std::filesystem::path& path, int flags, std::string_view what = "cannot be opened",
                   mode_t mode = 0666);
  /// A file in this folder without a name, which is gone when it is closed.
  static File nameless(const std::filesystem::path& folder);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  explicit operator bool() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  const std::filesystem::path& name() const { return name_; }

  /// 0 at the end.
  std::size_t read_some(std::span<std::byte> target);
  /// All bytes from there on; MachineError when the file is too short.
  void read_all_at(std::span<std::byte> target, std::int64_t offset) const;
  void write_all(std::string_view bytes);
  void write_all(std::span<const std::byte> bytes);
  void write_all_at(std::span<const std::byte> bytes, std::int64_t offset);

  struct stat status() const;
  std::int64_t size() const { return status().st_size; }
  /// Cuts it there; what is written next follows.
  void resize(std::int64_t size);
  /// Returns when everything is on the disk.
  void sync() const;
  /// Whether nobody else has the lock, which it now holds until it is closed. Locks are between open files, of one
  /// process and of many, and are the kernel's: they end with a killed process, in whichever container it ran.
  bool try_lock() const;
  /// Waits for it.
  void lock() const;
  /// Takes on the permissions, and where that may be the owner, of the file that it is to replace; nothing where there
  /// is none.
  void take_permissions(const std::filesystem::path& of) const;
  /// Throws where the system tells only now that writing failed.
  void close();

 private:
  [[noreturn]] void fail(std::string_view what) const;
  [[noreturn]] void fail_writing(std::span<const std::byte> rest) const;

  int descriptor_ = -1;
  std::filesystem::path name_;
};

}  // namespace sgpt
