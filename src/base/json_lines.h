// Files with one JSON object a line (BEIR corpora, training data), read as a stream. UTF-8.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sgpt {

/// Lines of text from a file or stdin ("-"), with their numbers; "\r\n" counts as one end of line. A file packed with
/// gzip is unpacked on the way.
class LineReader {
 public:
  /// Throws UserError when the file is missing or not readable.
  explicit LineReader(const std::filesystem::path& path);
  ~LineReader();
  LineReader(LineReader&&) noexcept;

  /// False at the end. `line` is valid until the next call. Throws MachineError when reading fails, UserError when a
  /// gzip file is truncated or broken.
  bool next(std::string_view& line);
  std::int64_t number() const;  ///< of the line last read, from 1
  std::string place() const;    ///< "FILE:LINE", for messages

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Blank lines are skipped. All getters speak of the line last read, and throw UserError naming file, line and key when
/// the value is of another kind than asked for.
class JsonLineReader {
 public:
  explicit JsonLineReader(const std::filesystem::path& path);
  ~JsonLineReader();
  JsonLineReader(JsonLineReader&&) noexcept;

  /// False at the end. Throws UserError naming file and line when a line is no JSON object or no valid UTF-8.
  bool next();
  std::int64_t number() const;  ///< of the line last read, from 1
  std::string place() const;    ///< "FILE:LINE"

  /// Missing and null give nothing; a number gives its digits (ids are numbers in some files).
  std::optional<std::string> string(std::string_view key) const;
  /// As string(), but throws when there is nothing.
  std::string required_string(std::string_view key) const;
  struct TitledText {
    std::string title;  ///< empty for a plain string
    std::string text;
    friend bool operator==(const TitledText&, const TitledText&) = default;
  };
  /// A text or a list of texts: strings, or objects {"title", "text"}, of which the title may be missing; missing and
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

/// A text as a JSON string, quotes included. The text is valid UTF-8.
std::string json_quoted(std::string_view text);

}  // namespace sgpt
