// Lines of text, and JSON objects: one a line (BEIR corpora, training data) or those of a list. Read as a stream.
// UTF-8.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text_stream.h"

namespace sgpt {

/// Lines of text with their numbers; "\r\n" counts as one end of line.
class LineReader {
 public:
  /// A file, or stdin ("-"), packed or not. Throws UserError when the file is missing or not readable.
  explicit LineReader(const std::filesystem::path& path) : text_(path) {}
  explicit LineReader(TextStream text) : text_(std::move(text)) {}

  /// False at the end. `line` is valid until the next call. Throws MachineError when reading fails, UserError when a
  /// gzip file is truncated or broken, or the file is no UTF-8 by its byte order mark.
  bool next(std::string_view& line);
  std::int64_t number() const { return number_; }   ///< of the line last read, from 1
  std::uint64_t offset() const { return offset_; }  ///< where it begins in the unpacked file
  std::string place() const;                        ///< "FILE:LINE", for messages

  TextStream& text() { return text_; }  ///< what comes after the line last read
  const TextStream& text() const { return text_; }

 private:
  TextStream text_;
  std::int64_t number_ = 0;
  std::uint64_t offset_ = 0;
};

/// The line, when it is valid UTF-8. Throws UserError naming file, line and byte.
std::string_view valid_utf8(const LineReader& reader, std::string_view line);

enum class JsonLayout {
  detect,    ///< a list when the first character is '[', lines otherwise
  lines,     ///< an object a line
  elements,  ///< what stands in a list behind its '[': objects over any number of lines, separated by commas
};

/// Blank lines are skipped. All getters speak of the object last read, and throw UserError naming file, line and key
/// when the value is of another kind than asked for. Of equal keys the last one counts. Half a surrogate pair (\ud83d
/// without its second half) is U+FFFD, of which one warning tells at the end of the file.
class JsonLineReader {
 public:
  explicit JsonLineReader(const std::filesystem::path& path);
  explicit JsonLineReader(TextStream text, JsonLayout layout = JsonLayout::detect);
  ~JsonLineReader();
  JsonLineReader(JsonLineReader&&) noexcept;

  /// False at the end. Throws UserError naming file and line when something is no JSON object or no valid UTF-8.
  bool next();
  std::int64_t number() const;   ///< of the line where the object begins, from 1
  std::string place() const;     ///< "FILE:LINE"
  std::uint64_t offset() const;  ///< where the object, or its line, begins in the unpacked file

  /// Missing and null give nothing; a number gives its digits (ids are numbers in some files).
  std::optional<std::string> string(std::string_view key) const;
  /// As string(), but throws when there is nothing.
  std::string required_string(std::string_view key) const;
  struct TitledText {
    std::string title;  ///< empty for a plain string
    std::string text;
    friend bool operator==(const TitledText&, const TitledText&) = default;
  };
  /// A text or a list of texts: strings, or objects {"title", "text"}, of which one may be missing; missing and
  /// null give an empty list.
  std::vector<TitledText> texts(std::string_view key) const;
  /// A list of integers. Throws when missing.
  std::vector<std::int64_t> integers(std::string_view key) const;
  struct NamedIntegers {
    std::string name;
    std::vector<std::int64_t> values;
  };
  /// An object of lists of integers, in the order of the file; missing and null give none.
  std::vector<NamedIntegers> integer_lists(std::string_view key) const;
  bool has(std::string_view key) const;
  /// All that are there and not null, in the order of the line.
  std::vector<std::string> keys() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sgpt
