// A value in a JSON file that knows where it stands, so that every complaint names file, place, what was expected and
// what was found.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace sgpt {

/// Include it in .cpp files only. All conversions throw UserError when the value is of another kind.
class JsonNode {
 public:
  JsonNode(std::string file, std::string place, simdjson::dom::element value);

  bool is_null() const { return value_.is_null(); }
  bool is_string() const { return value_.is_string(); }
  bool is_array() const { return value_.is_array(); }

  simdjson::dom::object object() const;
  simdjson::dom::array array() const;
  std::string_view string() const;
  bool boolean() const;
  double number() const;
  std::uint32_t integer_below(std::uint32_t end) const;

  /// Nothing when the key is missing or its value null.
  std::optional<JsonNode> find(std::string_view key) const;
  JsonNode required(std::string_view key) const;
  bool boolean_or(std::string_view key, bool otherwise) const;
  /// Throws when the object has a key besides these: what it means nobody knows.
  void only(std::initializer_list<std::string_view> known) const;
  /// The i-th of an array, or the value under a key met while iterating.
  JsonNode at(std::size_t i, simdjson::dom::element value) const;
  JsonNode at(std::string_view key, simdjson::dom::element value) const;

  /// "FILE: PLACE: what".
  std::string told(std::string_view what) const;
  /// Throws that.
  [[noreturn]] void complain(std::string_view what) const;
  /// Throws that the value was expected to be something else than it is.
  [[noreturn]] void expected(std::string_view what) const;

 private:
  std::string file_;
  std::string place_;
  simdjson::dom::element value_;
};

}  // namespace sgpt
