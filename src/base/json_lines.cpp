#include "base/json_lines.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "base/json_string.h"
#include "base/log.h"
#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kMark = "\xef\xbb\xbf";
constexpr std::string_view kJsonSpace = " \t\r";

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

bool LineReader::next(std::string_view& line) {
  std::size_t end;
  for (std::size_t searched = 0; (end = text_.ahead().find('\n', searched)) == std::string_view::npos;) {
    searched = text_.ahead().size();
    if (!text_.read_more()) break;
  }
  const std::string_view ahead = text_.ahead();
  if (ahead.empty()) return false;
  offset_ = text_.offset();
  line = ahead.substr(0, end);
  text_.consume(std::min(line.size() + 1, ahead.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  ++number_;
  return true;
}

std::string LineReader::place() const { return fmt::format("{}:{}", text_.name(), number_); }

std::string_view valid_utf8(const LineReader& reader, std::string_view line) {
  const auto byte = invalid_utf8(line);
  if (!byte) return line;
  throw UserError(fmt::format("{}: the line is no valid UTF-8 at byte {}: convert the file first (iconv -t UTF-8)",
                              reader.place(), *byte));
}

// --- objects --------------------------------------------------------------------------------------------------------

namespace {

/// One value after the other, without parsing them: of lines, or of a list.
class Values {
 public:
  Values(TextStream text, JsonLayout layout) : lines_(std::move(text)), layout_(layout) {}

  bool next(std::string_view& value) {
    if (layout_ == JsonLayout::detect) layout_ = detect();
    return layout_ == JsonLayout::lines ? next_line(value) : next_element(value);
  }
  std::int64_t number() const { return layout_ == JsonLayout::elements ? number_ : lines_.number(); }
  std::uint64_t offset() const { return layout_ == JsonLayout::elements ? offset_ : lines_.offset(); }
  const std::string& name() const { return lines_.text().name(); }
  std::string place() const { return fmt::format("{}:{}", name(), number()); }

 private:
  JsonLayout detect();
  bool next_line(std::string_view& value);
  bool next_element(std::string_view& value);
  bool skip_to_element();
  std::size_t find_end();
  std::optional<char> character(std::size_t place);
  void consume(std::size_t bytes);
  [[noreturn]] void broken(std::string_view what) const {
    throw UserError(fmt::format("{}:{}: broken JSON: {}", name(), line_, what));
  }

  LineReader lines_;
  JsonLayout layout_;
  std::int64_t line_ = 1;  // in a list: at hand
  std::int64_t number_ = 0;
  std::uint64_t offset_ = 0;
  enum class State { begin, behind_element, end } state_ = State::begin;
};

JsonLayout Values::detect() {
  const auto first = lines_.text().find_character();
  if (!first || lines_.text().ahead()[*first] != '[') return JsonLayout::lines;
  consume(*first + 1);
  return JsonLayout::elements;
}

bool Values::next_line(std::string_view& value) {
  do {
    if (!lines_.next(value)) return false;
    if (value.starts_with(kMark)) value.remove_prefix(kMark.size());  // of a file that was put behind another one
  } while (value.find_first_not_of(kJsonSpace) == std::string_view::npos);
  return true;
}

void Values::consume(std::size_t bytes) {
  const std::string_view gone = lines_.text().ahead().substr(0, bytes);
  line_ += std::count(gone.begin(), gone.end(), '\n');
  lines_.text().consume(bytes);
}

std::optional<char> Values::character(std::size_t place) {
  while (place >= lines_.text().ahead().size()) {
    if (!lines_.text().read_more()) return std::nullopt;
  }
  return lines_.text().ahead()[place];
}

/// To the beginning of the next element; false at the end of the list.
bool Values::skip_to_element() {
  const auto next_character = [&] {
    const auto place = lines_.text().find_character();
    consume(place.value_or(lines_.text().ahead().size()));
    return place ? character(0) : std::nullopt;
  };
  auto next = next_character();
  if (state_ == State::behind_element && next == ',') {
    consume(1);
    next = next_character();
  } else if (next == ']') {
    consume(1);
    if (next_character()) broken("something stands behind the end of the list");
    state_ = State::end;
    return false;
  } else if (state_ == State::behind_element) {
    broken(next ? "expected a comma or ] behind an element of the list" : "the list has no end");
  }
  if (!next) broken("the list has no end");
  return true;
}

/// Where the element ends that begins ahead: at its last bracket, or before a comma or bracket of the list.
std::size_t Values::find_end() {
  std::int64_t depth = 0;
  bool quoted = false;
  for (std::size_t place = 0;; ++place) {
    const auto found = character(place);
    if (!found) broken("the list ends in the middle of an element");
    if (quoted) {
      if (*found == '\\') ++place;
      if (*found == '"') quoted = false;
    } else if (*found == '"') {
      quoted = true;
    } else if (*found == '{' || *found == '[') {
      ++depth;
    } else if (depth == 0 && (*found == ',' || *found == ']')) {
      return place;
    } else if ((*found == '}' || *found == ']') && --depth == 0) {
      return place + 1;
    }
  }
}

bool Values::next_element(std::string_view& value) {
  if (state_ == State::end || !skip_to_element()) return false;
  number_ = line_;
  offset_ = lines_.text().offset();
  const std::size_t end = find_end();
  value = lines_.text().ahead().substr(0, end);
  consume(end);
  state_ = State::behind_element;
  return true;
}

/// The value (of equal keys the last one's, as Python and others have it), or nothing when it is missing or null.
std::optional<dom::element> value_of(dom::object object, std::string_view key) {
  std::optional<dom::element> value;
  for (const dom::key_value_pair field : object) {
    if (field.key == key) value = field.value;
  }
  if (value && value->is_null()) return std::nullopt;
  return value;
}

}  // namespace

struct JsonLineReader::Impl {
  Impl(TextStream text, JsonLayout layout) : lines(std::move(text), layout) {}

  Values lines;
  std::string mended;  // the line, where it held half surrogates
  std::int64_t surrogates = 0;
  std::string first_surrogate;  // its place
  dom::parser parser;
  dom::object object;

  std::optional<dom::element> find(std::string_view key) const { return value_of(object, key); }
  std::string_view without_lone_surrogates(std::string_view line);
  void tell_surrogates() const;
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
      const auto part = value_of(fields, name);
      return part ? std::optional(text_of(key, *part, kExpected)) : std::nullopt;
    };
    const auto title = field("title");
    const auto text = field("text");
    if (!title && !text) wrong_kind(key, kExpected, value);
    return {title.value_or(""), text.value_or("")};
  }
};

std::string_view JsonLineReader::Impl::without_lone_surrogates(std::string_view line) {
  if (!may_hold_surrogates(line)) return line;
  mended = line;
  const std::int64_t count = replace_lone_surrogates(mended);
  if (count == 0) return line;
  if (surrogates == 0) first_surrogate = lines.place();
  surrogates += count;
  return mended;
}

void JsonLineReader::Impl::tell_surrogates() const {
  if (surrogates == 0) return;
  log::warning_once(
      fmt::format("{}: {} lone surrogate{} (\\ud800 to \\udfff, halves of a character) read as U+FFFD, the "
                  "first in {}",
                  lines.name(), surrogates, surrogates == 1 ? " was" : "s were", first_surrogate));
}

JsonLineReader::JsonLineReader(TextStream text, JsonLayout layout)
    : impl_(std::make_unique<Impl>(std::move(text), layout)) {}
JsonLineReader::JsonLineReader(const std::filesystem::path& path) : JsonLineReader(TextStream(path)) {}
JsonLineReader::~JsonLineReader() = default;
JsonLineReader::JsonLineReader(JsonLineReader&&) noexcept = default;

bool JsonLineReader::next() {
  std::string_view line;
  if (!impl_->lines.next(line)) {
    impl_->tell_surrogates();
    return false;
  }
  line = impl_->without_lone_surrogates(line);
  dom::element root;
  const auto error = impl_->parser.parse(line.data(), line.size()).get(root);
  if (const auto byte = error == simdjson::UTF8_ERROR ? invalid_utf8(line) : std::nullopt) {
    throw UserError(
        fmt::format("{}: no valid UTF-8 at byte {}: convert the file first (iconv -t UTF-8)", place(), *byte));
  }
  if (error != simdjson::SUCCESS) {
    throw UserError(fmt::format("{}: broken JSON: {}", place(), simdjson::error_message(error)));
  }
  if (root.get_object().get(impl_->object) != simdjson::SUCCESS) {
    throw UserError(fmt::format("{}: expected a JSON object, found {}", place(), kind_of(root.type())));
  }
  return true;
}

std::int64_t JsonLineReader::number() const { return impl_->lines.number(); }
std::string JsonLineReader::place() const { return impl_->lines.place(); }
std::uint64_t JsonLineReader::offset() const { return impl_->lines.offset(); }

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
    std::erase_if(result, [&](const NamedIntegers& earlier) { return earlier.name == field.key; });
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

}  // namespace sgpt
