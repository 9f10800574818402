#include "encode/text_source.h"

#include <fstream>

#include <fmt/format.h>

#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

bool holds_json(const std::filesystem::path& input) {
  if (input.extension() == ".jsonl") return true;
  std::error_code none;
  if (!std::filesystem::is_regular_file(input, none)) return false;
  return std::ifstream(input, std::ios::binary).peek() == '{';
}

}  // namespace

TextSource::TextSource(const std::filesystem::path& input, TextFormat format) {
  const bool json = format == TextFormat::json_lines || (format == TextFormat::automatic && holds_json(input));
  if (json) {
    json_.emplace(input);
  } else {
    lines_.emplace(input);
  }
}

bool TextSource::next(std::string& text) {
  if (json_) {
    if (!json_->next()) return false;
    text = document_text(json_->string("title").value_or(""), json_->required_string("text"));
    return true;
  }
  std::string_view line;
  if (!lines_->next(line)) return false;
  if (const auto byte = invalid_utf8(line)) {
    throw UserError(fmt::format("{}: the line is no valid UTF-8 at byte {}: convert the file first (iconv -t UTF-8)",
                                lines_->place(), *byte));
  }
  text = line;
  return true;
}

std::string TextSource::place() const { return json_ ? json_->place() : lines_->place(); }

std::optional<std::string> TextSource::id() const { return json_ ? json_->string("_id") : std::nullopt; }

std::string document_text(std::string_view title, std::string_view text) {
  if (title.empty()) return std::string(text);
  return std::string(strip(fmt::format("{} {}", title, text)));
}

}  // namespace sgpt
