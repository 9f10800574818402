#include "base/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/hub_path.h"
#include "sgpt/error.h"

namespace sgpt {

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const int reason = errno;
    if (reason == ENOENT) present(path);  // says of a link that its target is not there
    throw UserError(fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(reason)));
  }
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw UserError(fmt::format("{}: expected a regular file", path.string()));
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ > 0) {
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data_ == MAP_FAILED) {
      const int reason = errno;
      data_ = nullptr;
      ::close(descriptor);
      throw MachineError(fmt::format("{}: {} bytes cannot be mapped: {}", path.string(), size_, std::strerror(reason)));
    }
  }
  ::close(descriptor);  // the mapping holds the file
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

void drop_pages(std::span<const std::byte> mapped) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(mapped.data());
  const std::uintptr_t before = (page - address % page) % page;  // bytes of a page that others use, too
  if (mapped.size() < before + page) return;
  const std::size_t whole = (mapped.size() - before) / page * page;
  ::madvise(const_cast<std::byte*>(mapped.data()) + before, whole,
            MADV_DONTNEED);  // advice: failing costs memory alone
}

}  // namespace sgpt
