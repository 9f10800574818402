// The texts of a file, one after the other: lines of JSON with "text" (and a BEIR document's "title"), or plain lines.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/json_lines.h"

namespace sgpt {

enum class TextFormat {
  automatic,   ///< JSON lines when the name ends in .jsonl or the first byte is '{', else plain lines
  json_lines,  ///< one object a line: "text", and "title" where there is one
  lines,       ///< one text a line, empty ones too
};

/// Not thread-safe.
class TextSource {
 public:
  /// A file, or "-" for stdin. Of what is no regular file the first byte is not looked at: there automatic goes by the
  /// name. Throws UserError when the file is missing or not readable.
  TextSource(const std::filesystem::path& input, TextFormat format);

  /// False at the end. Throws UserError, naming file and line, when a line is no valid UTF-8, no JSON object or has no
  /// text.
  bool next(std::string& text);
  std::string place() const;              ///< "FILE:LINE" of the text last read
  std::optional<std::string> id() const;  ///< "_id" of the object last read, where it has one

 private:
  std::optional<LineReader> lines_;
  std::optional<JsonLineReader> json_;
};

/// A BEIR document as one text: title and text with a space between them, stripped; the text alone when there is no
/// title.
std::string document_text(std::string_view title, std::string_view text);

}  // namespace sgpt
