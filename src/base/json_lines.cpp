#include "base/json_lines.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/byte_source.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kReadSize = std::size_t{1} << 20;

std::string_view kind_of(dom::element_type type) {
  switch (type) {
    case dom::element_type::ARRAY: return "a list";
    case dom::element_type::OBJECT: return "an object";
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE: return "a number";
    case dom::element_type::STRING: return "a string";
    case dom::element_type::BOOL: return "true or false";
    case dom::element_type::NULL_VALUE: return "null";
  }
  return "something else";
}

}  // namespace

// --- lines ----------------------------------------------------------------------------------------------------------

struct LineReader::Impl {
  explicit Impl(const std::filesystem::path& path) : source(path) {}

  ByteSource source;
  std::string buffer;  // what was read and not yet handed out, from `begin` on
  std::size_t begin = 0;
  std::size_t searched = 0;  // no end of line before this
  bool at_end = false;
  std::int64_t number = 0;

  bool fill();
};

/// Reads more behind what is there; false at the end of the file.
bool LineReader::Impl::fill() {
  buffer.erase(0, begin);
  searched -= begin;
  begin = 0;
  const std::size_t size = buffer.size();
  buffer.resize(size + kReadSize);
  const std::size_t got = source.read(std::as_writable_bytes(std::span(buffer).subspan(size)));
  buffer.resize(size + got);
  return got > 0;
}

LineReader::LineReader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}

LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;

bool LineReader::next(std::string_view& line) {
  Impl& reader = *impl_;
  std::size_t end;
  for (;;) {
    end = reader.buffer.find('\n', reader.searched);
    if (end != std::string::npos || reader.at_end) break;
    reader.searched = reader.buffer.size();
    reader.at_end = !reader.fill();
  }
  if (end == std::string::npos) end = reader.buffer.size();
  if (reader.at_end && reader.begin == reader.buffer.size()) return false;
  line = std::string_view(reader.buffer).substr(reader.begin, end - reader.begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  reader.begin = reader.searched = std::min(end + 1, reader.buffer.size());
  ++reader.number;
  return true;
}

std::int64_t LineReader::number() const { return impl_->number; }
std::string LineReader::place() const { return fmt::format("{}:{}", impl_->source.name(), impl_->number); }

// --- objects --------------------------------------------------------------------------------------------------------

struct JsonLineReader::Impl {
  explicit Impl(const std::filesystem::path& path) : lines(path) {}

  LineReader lines;
  dom::parser parser;
  dom::object object;

  /// The value, or nothing when it is missing or null.
  std::optional<dom::element> find(std::string_view key) const {
    dom::element value;
    if (object.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
    return value;
  }
  [[noreturn]] void wrong_kind(std::string_view key, std::string_view expected, dom::element found) const {
    throw UserError(fmt::format("{}: \"{}\" is {}; expected {}", lines.place(), key, kind_of(found.type()), expected));
  }
  std::vector<std::int64_t> integers_of(std::string_view key, dom::element value) const {
    if (!value.is_array()) wrong_kind(key, "a list of integers", value);
    std::vector<std::int64_t> result;
    const dom::array items = value.get_array().value_unsafe();
    for (const dom::element item : items) {
      if (!item.is_int64()) wrong_kind(key, "a list of integers", item);
      result.push_back(item.get_int64().value_unsafe());
    }
    return result;
  }
  std::string text_of(std::string_view key, dom::element value, std::string_view expected) const {
    if (value.is_string()) return std::string(value.get_string().value_unsafe());
    if (value.is_int64() || value.is_uint64()) return simdjson::minify(value);
    wrong_kind(key, expected, value);
  }
  TitledText titled_text_of(std::string_view key, dom::element value) const {
    constexpr std::string_view kExpected = "a text, or a list of texts: strings, or objects {\"title\", \"text\"}";
    dom::object fields;
    if (value.get_object().get(fields) != simdjson::SUCCESS) return {{}, text_of(key, value, kExpected)};
    const auto field = [&](std::string_view name) -> std::optional<std::string> {
      dom::element part;
      if (fields.at_key(name).get(part) != simdjson::SUCCESS || part.is_null()) return std::nullopt;
      return text_of(key, part, kExpected);
    };
    auto text = field("text");
    if (!text) wrong_kind(key, kExpected, value);
    return {field("title").value_or(""), *std::move(text)};
  }
};

JsonLineReader::JsonLineReader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
JsonLineReader::~JsonLineReader() = default;
JsonLineReader::JsonLineReader(JsonLineReader&&) noexcept = default;

bool JsonLineReader::next() {
  std::string_view line;
  do {
    if (!impl_->lines.next(line)) return false;
  } while (line.find_first_not_of(" \t") == std::string_view::npos);
  dom::element root;
  const auto error = impl_->parser.parse(line.data(), line.size()).get(root);
  if (error != simdjson::SUCCESS) {
    throw UserError(fmt::format("{}: broken JSON: {}", place(), simdjson::error_message(error)));
  }
  if (root.get_object().get(impl_->object) != simdjson::SUCCESS) {
    throw UserError(fmt::format("{}: expected a JSON object in each line, found {}", place(), kind_of(root.type())));
  }
  return true;
}

std::int64_t JsonLineReader::number() const { return impl_->lines.number(); }
std::string JsonLineReader::place() const { return impl_->lines.place(); }

std::optional<std::string> JsonLineReader::string(std::string_view key) const {
  const auto value = impl_->find(key);
  if (!value) return std::nullopt;
  return impl_->text_of(key, *value, "a string");
}

std::string JsonLineReader::required_string(std::string_view key) const {
  auto value = string(key);
  if (!value) throw UserError(fmt::format("{}: expected a string under \"{}\", found none", place(), key));
  return *std::move(value);
}

std::vector<JsonLineReader::TitledText> JsonLineReader::texts(std::string_view key) const {
  const auto value = impl_->find(key);
  if (!value) return {};
  if (!value->is_array()) return {impl_->titled_text_of(key, *value)};
  std::vector<TitledText> result;
  const dom::array items = value->get_array().value_unsafe();
  for (const dom::element item : items) result.push_back(impl_->titled_text_of(key, item));
  return result;
}

std::vector<std::int64_t> JsonLineReader::integers(std::string_view key) const {
  const auto value = impl_->find(key);
  if (!value) throw UserError(fmt::format("{}: expected a list of integers under \"{}\", found none", place(), key));
  return impl_->integers_of(key, *value);
}

std::vector<JsonLineReader::NamedIntegers> JsonLineReader::integer_lists(std::string_view key) const {
  const auto value = impl_->find(key);
  if (!value) return {};
  if (!value->is_object()) impl_->wrong_kind(key, "an object of lists of integers", *value);
  std::vector<NamedIntegers> result;
  const dom::object fields = value->get_object().value_unsafe();
  for (const dom::key_value_pair field : fields) {
    result.push_back({std::string(field.key), impl_->integers_of(field.key, field.value)});
  }
  return result;
}

bool JsonLineReader::has(std::string_view key) const { return impl_->find(key).has_value(); }

std::vector<std::string> JsonLineReader::keys() const {
  std::vector<std::string> result;
  for (const dom::key_value_pair field : impl_->object) {
    if (!field.value.is_null()) result.emplace_back(field.key);
  }
  return result;
}

std::string json_quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': result += "\\\""; break;
      case '\\': result += "\\\\"; break;
      case '\n': result += "\\n"; break;
      case '\r': result += "\\r"; break;
      case '\t': result += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          result += c;
        }
    }
  }
  result += '"';
  return result;
}

}  // namespace sgpt
