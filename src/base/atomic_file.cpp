#include "base/atomic_file.h"

namespace sgpt {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 20;

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& target) : target_(output_target(target)) {
  if (!target_.stream) partial_.emplace(target_.path, Partial::Kind::file);
}

void AtomicFile::write(std::string_view text) {
  if (buffer_.size() + text.size() > kBufferSize) flush();
  if (text.size() >= kBufferSize) {
    file().write_all(text);
  } else {
    buffer_.append(text);
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::flush() {
  file().write_all(buffer_);
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  if (partial_) {
    partial_->finish();
  } else {
    target_.stream.close();
  }
}

void write_file(const std::filesystem::path& target, std::string_view text) {
  AtomicFile file(target);
  file.write(text);
  file.commit();
}

}  // namespace sgpt
