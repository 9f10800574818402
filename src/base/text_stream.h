// The characters of a text file: unpacked, without a byte order mark. All readers of lines and of JSON stand on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/byte_source.h"

namespace sgpt {

/// Bytes that look ahead as far as is wanted. Reading begins with the first question, not with construction.
class TextStream {
 public:
  /// A file, or stdin ("-"). Throws UserError when it is missing or not readable.
  explicit TextStream(const std::filesystem::path& path) : source_(path) {}
  explicit TextStream(ByteSource source) : source_(std::move(source)) {}

  /// What was read and not yet consumed; valid until the next read_more().
  std::string_view ahead() const { return std::string_view(buffer_).substr(begin_); }
  /// Reads more behind it; false at the end. Throws as ByteSource::read, and UserError when the file begins with the
  /// mark of UTF-16 or UTF-32.
  bool read_more();
  void consume(std::size_t bytes) { begin_ += bytes; }

  /// The place in ahead() of the first character from `from` on that is no white space; nothing when none comes.
  std::optional<std::size_t> find_character(std::size_t from = 0);

  /// Where ahead() begins in the unpacked file.
  std::uint64_t offset() const { return erased_ + begin_; }
  const std::string& name() const { return source_.name(); }

 private:
  bool fill();

  ByteSource source_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::uint64_t erased_ = 0;  // bytes that were in the buffer before
  bool begun_ = false;
  bool ended_ = false;
};

/// Bytes of the byte order mark that a UTF-8 text begins with: 3 or 0. Throws UserError, naming the file, when the text
/// begins with the mark of UTF-16 or UTF-32.
std::size_t mark_length(std::string_view text, std::string_view name);

}  // namespace sgpt
