#include "encode/npy.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kHeader = 128;
constexpr std::size_t kPreamble = 10;  // magic, version, length of what follows

}  // namespace

std::string npy_header(std::int64_t rows, std::int64_t columns) {
  const std::string array =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  constexpr std::size_t kRest = kHeader - kPreamble;
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(kRest);
  header += '\0';
  return header + fmt::format("{:<{}}\n", array, kRest - 1);
}

NpyRows::NpyRows(const std::filesystem::path& partial, std::int64_t columns) : path_(partial), columns_(columns) {
  std::error_code none;
  const std::filesystem::path folder = partial.has_parent_path() ? partial.parent_path() : ".";
  if (!std::filesystem::is_directory(folder, none)) {
    throw UserError(fmt::format("{}: there is no such folder to write to: make it first", folder.string()));
  }
  descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("could not be opened");
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    close(descriptor_);
    throw UserError(
        fmt::format("{}: another program is writing this file: wait for it, or name another output", path_.string()));
  }
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) {
    close(descriptor_);
    fail("could not be looked at");
  }
  const auto size = static_cast<std::int64_t>(status.st_size) - static_cast<std::int64_t>(kHeader);
  const std::int64_t row_bytes = columns_ * static_cast<std::int64_t>(sizeof(float));
  if (size > 0) rows_ = size / row_bytes;
}

NpyRows::~NpyRows() {
  // Removed while the lock is held, so that it can't be another program's file.
  if (!finished_ && !(keep_ && rows_ > 0)) unlink(path_.c_str());
  close(descriptor_);
}

void NpyRows::fail(const char* what) const {
  throw MachineError(fmt::format("{}: the file {}: {}", path_.string(), what, std::strerror(errno)));
}

void NpyRows::write(const void* data, std::size_t bytes, std::int64_t offset) {
  const auto* begin = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = pwrite(descriptor_, begin, bytes, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("could not be written");
    begin += written;
    bytes -= static_cast<std::size_t>(written);
    offset += written;
  }
}

void NpyRows::truncate(std::int64_t rows) {
  const std::int64_t bytes =
      static_cast<std::int64_t>(kHeader) + rows * columns_ * static_cast<std::int64_t>(sizeof(float));
  if (ftruncate(descriptor_, bytes) != 0) fail("could not be cut");
  rows_ = rows;
}

void NpyRows::append(std::span<const float> values) {
  const std::int64_t offset =
      static_cast<std::int64_t>(kHeader) + rows_ * columns_ * static_cast<std::int64_t>(sizeof(float));
  write(values.data(), values.size_bytes(), offset);
  rows_ += static_cast<std::int64_t>(values.size()) / columns_;
}

void NpyRows::flush() {
  if (fdatasync(descriptor_) != 0) fail("could not be flushed to the disk");
}

void NpyRows::finish(const std::filesystem::path& target) {
  const std::string header = npy_header(rows_, columns_);
  write(header.data(), header.size(), 0);
  truncate(rows_);
  if (fsync(descriptor_) != 0) fail("could not be flushed to the disk");
  if (std::rename(path_.c_str(), target.c_str()) != 0) fail("could not be renamed");
  finished_ = true;
}

}  // namespace sgpt
