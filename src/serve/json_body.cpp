#include "serve/json_body.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/unicode.h"

namespace sgpt::serve {
namespace {

/// Where and why a text is no JSON: read once more by a parser that tells, and keeps nothing.
class Complaint : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t byte, const std::string& token, const nlohmann::detail::exception& error) override {
    if (error.id == 406) {
      sentence = fmt::format("the body is no JSON: the number at byte {} is out of range", byte);
      return false;
    }
    std::string_view found = token;
    if (found.size() > 20) found = found.substr(found.size() - 20);
    sentence = found.empty() || invalid_utf8(found)
                   ? fmt::format("the body is no JSON at byte {}", byte)
                   : fmt::format("the body is no JSON at byte {}, found: {}", byte, found);
    return false;
  }

  std::string sentence;
};

std::string complaint_about(const std::string& text, simdjson::error_code error) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return "the body is empty; expected JSON";
  Complaint complaint;
  nlohmann::json::sax_parse(text, &complaint);
  if (!complaint.sentence.empty()) return complaint.sentence;
  if (error == simdjson::DEPTH_ERROR) return "the body is nested more than 1024 deep";
  return fmt::format("the body is no JSON: {}", simdjson::error_message(error));
}

}  // namespace

JsonBody::JsonBody(const std::string& text) {
  const auto error = parser_.parse(text).get(root_);
  if (!error) return;
  if (error == simdjson::MEMALLOC) throw Failure{Kind::unavailable, "memory is short: try again", {}, 10};
  if (const auto byte = invalid_utf8(text)) {
    throw Failure{Kind::validation, fmt::format("the body is no valid UTF-8 at byte {}", *byte)};
  }
  throw Failure{Kind::malformed, complaint_about(text, error)};
}

std::string_view name_of_type(simdjson::dom::element element) {
  switch (element.type()) {
    case simdjson::dom::element_type::ARRAY: return "a list";
    case simdjson::dom::element_type::OBJECT: return "an object";
    case simdjson::dom::element_type::INT64:
    case simdjson::dom::element_type::UINT64:
    case simdjson::dom::element_type::DOUBLE: return "a number";
    case simdjson::dom::element_type::STRING: return "a text";
    case simdjson::dom::element_type::BOOL: return "true or false";
    case simdjson::dom::element_type::NULL_VALUE: break;
  }
  return "null";
}

void fail_field(const std::string& field, std::string_view expected, std::string_view found) {
  throw Failure{Kind::validation, fmt::format("{}: expected {}, found {}", field, expected, found), field};
}

Fields::Fields(simdjson::dom::element element, std::string name) : name_(std::move(name)) {
  if (element.get(object_)) {
    fail_field(name_.empty() ? "the body" : name_, "an object", name_of_type(element));
  }
}

std::string Fields::named(std::string_view field) const {
  return name_.empty() ? std::string(field) : fmt::format("{}.{}", name_, field);
}

std::optional<simdjson::dom::element> Fields::find(std::string_view field) const {
  simdjson::dom::element element;
  if (object_[field].get(element) || element.is_null()) return std::nullopt;
  return element;
}

std::optional<std::string_view> Fields::text(std::string_view field) const {
  const auto element = find(field);
  if (!element) return std::nullopt;
  std::string_view text;
  if (element->get(text)) fail_field(named(field), "a text", name_of_type(*element));
  return text;
}

std::optional<bool> Fields::flag(std::string_view field) const {
  const auto element = find(field);
  if (!element) return std::nullopt;
  bool flag = false;
  if (element->get(flag)) fail_field(named(field), "true or false", name_of_type(*element));
  return flag;
}

std::optional<std::int64_t> Fields::whole(std::string_view field) const {
  const auto element = find(field);
  if (!element) return std::nullopt;
  std::int64_t number = 0;
  if (element->get(number)) {
    fail_field(named(field), "a whole number",
               element->is_double() ? "a number with a fraction" : name_of_type(*element));
  }
  return number;
}

std::optional<std::string_view> Fields::word(std::string_view field,
                                             std::initializer_list<std::string_view> words) const {
  const auto said = text(field);
  if (!said) return std::nullopt;
  for (const std::string_view word : words) {
    if (lower_case(word) == lower_case(*said)) return word;
  }
  std::string list;
  for (const std::string_view word : words) list.append(list.empty() ? "" : ", ").append(word);
  fail_field(named(field), fmt::format("one of {}", list), fmt::format("\"{}\"", said->substr(0, 60)));
}

}  // namespace sgpt::serve
