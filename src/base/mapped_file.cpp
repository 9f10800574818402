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

#include "base/file.h"
#include "base/hub_path.h"
#include "sgpt/error.h"

namespace sgpt {

namespace {

File opened(const std::filesystem::path& path) {
  present(path);                                   // says of a link that its target is not there
  return File::open(path, O_RDONLY | O_NONBLOCK);  // else opening a FIFO would wait for its writer
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : MappedFile(opened(path), path) {}

MappedFile::MappedFile(const File& file, std::filesystem::path path) : path_(std::move(path)) {
  const struct stat status = file.status();
  if (!S_ISREG(status.st_mode)) throw UserError(fmt::format("{}: expected a regular file", path_.string()));
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);  // the mapping holds the file
  if (data == MAP_FAILED) {
    const int reason = errno;
    throw MachineError(fmt::format("{}: {} bytes cannot be mapped: {}", path_.string(), size_, std::strerror(reason)));
  }
  data_ = data;
  mapping_ = NamedMapping(data_, size_, path_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapping_(std::move(other.mapping_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  return *this;
}

MappedFile::~MappedFile() {
  mapping_.forget();
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
