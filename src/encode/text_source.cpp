#include "encode/text_source.h"

#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

bool named_as_json(std::filesystem::path name) {
  if (name.extension() == ".gz") name.replace_extension();
  const std::string extension = name.extension().string();
  return extension == ".jsonl" || extension == ".ndjson" || extension == ".json";
}

}  // namespace

bool holds_json(TextStream& stream, const std::filesystem::path& name) {
  const auto first = stream.find_character();
  if (!first) return false;
  if (named_as_json(name) || stream.ahead()[*first] == '{') return true;
  if (stream.ahead()[*first] != '[') return false;
  const auto second = stream.find_character(*first + 1);  // "[heat]" and "[1] see there" are texts
  return second && stream.ahead()[*second] == '{';
}

TextSource::TextSource(const std::filesystem::path& input, TextFormat format)
    : input_(input), format_(format), stream_(input) {}

/// Reading, even the first byte, begins with the first text: at a terminal it waits for a person.
void TextSource::begin() {
  guessed_ = format_ == TextFormat::automatic && !named_as_json(input_);
  const bool json =
      format_ == TextFormat::json_lines || (format_ == TextFormat::automatic && holds_json(*stream_, input_));
  if (json) {
    json_.emplace(*std::move(stream_));
  } else {
    lines_.emplace(*std::move(stream_));
  }
  stream_.reset();
}

bool TextSource::next(std::string& text) {
  if (stream_) begin();
  if (json_) return next_object(text);
  std::string_view line;
  if (!lines_->next(line)) return false;
  text = valid_utf8(*lines_, line);
  return true;
}

bool TextSource::next_object(std::string& text) {
  try {
    if (!json_->next()) return false;
    text = document_text(*json_);
  } catch (const UserError& error) {
    if (!guessed_) throw;
    throw UserError(fmt::format("{} (taken for JSON, which it begins like; --format lines takes every line as it is)",
                                error.what()));
  }
  guessed_ = false;  // it is JSON
  return true;
}

std::string TextSource::place() const { return json_ ? json_->place() : lines_->place(); }

std::optional<std::string> TextSource::id() const { return json_ ? json_->string("_id") : std::nullopt; }

std::string document_text(std::string_view title, std::string_view text) {
  if (title.empty()) return std::string(text);
  return fmt::format("{} {}", title, text);
}

std::string document_text(const JsonLineReader& object) {
  const auto title = object.string("title");
  return document_text(title.value_or(""), title ? object.string("text").value_or("") : object.required_string("text"));
}

std::int64_t count_texts(const std::filesystem::path& input, TextFormat format) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(input, none)) return 0;
  ByteSource source(input);
  return source.packed() ? 0 : count_texts(TextStream(std::move(source)), input, format);
}

std::int64_t count_texts(TextStream stream, const std::filesystem::path& input, TextFormat format) {
  const bool json = format == TextFormat::json_lines || (format == TextFormat::automatic && holds_json(stream, input));
  const auto first = stream.find_character();
  if (json && first && stream.ahead()[*first] == '[') return 0;
  LineReader lines(std::move(stream));
  std::int64_t texts = 0;
  for (std::string_view line; lines.next(line);) {
    if (!json || line.find_first_not_of(" \t") != std::string_view::npos) ++texts;
  }
  return texts;
}

}  // namespace sgpt
