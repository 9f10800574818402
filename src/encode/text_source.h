// The texts of a file, one after the other: JSON objects with "text" (and a BEIR document's "title"), or plain lines.
// Every reader of texts goes by the rules here: how a file is recognised, and how title and text become one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/json_lines.h"

namespace sgpt {

enum class TextFormat {
  automatic,   ///< JSON when that is what the file begins with (see holds_json), else plain lines
  json_lines,  ///< objects, one a line or in one list: "text", and "title" where there is one
  lines,       ///< one text a line, empty ones too
};

/// Not thread-safe.
class TextSource {
 public:
  /// A file, packed or not, a pipe, or "-" for stdin. Throws UserError when it is missing or not readable.
  TextSource(const std::filesystem::path& input, TextFormat format);

  /// False at the end. Throws UserError, naming file and line, when a line is no valid UTF-8, no JSON object or has no
  /// text.
  bool next(std::string& text);
  std::string place() const;              ///< "FILE:LINE" of the text last read
  std::optional<std::string> id() const;  ///< "_id" of the object last read, where it has one

 private:
  void begin();
  bool next_object(std::string& text);

  std::filesystem::path input_;
  TextFormat format_;
  std::optional<TextStream> stream_;  // until the format is known
  bool guessed_ = false;              // by its first character, that it is JSON
  std::optional<LineReader> lines_;
  std::optional<JsonLineReader> json_;
};

/// Whether a file holds JSON: it begins, after white space, with '{', or with '[' and '{' (a list of objects), or its
/// name (.jsonl, .ndjson, .json, maybe packed: .jsonl.gz) says so.
bool holds_json(TextStream& stream, const std::filesystem::path& name);

/// A document as one text: its title, a space, its text. (White space around it is nothing that a model sees.)
std::string document_text(std::string_view title, std::string_view text);

/// The text of an object {"title", "text"}, one of which may be missing. Throws UserError when both are.
std::string document_text(const JsonLineReader& object);

/// How many texts a file holds; 0 where it cannot be known beforehand: of pipes, packed files, and lists.
std::int64_t count_texts(const std::filesystem::path& input, TextFormat format = TextFormat::automatic);
std::int64_t count_texts(TextStream unpacked, const std::filesystem::path& name,
                         TextFormat format = TextFormat::automatic);

}  // namespace sgpt
