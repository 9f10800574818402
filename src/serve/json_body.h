// A request's JSON, and its fields with messages that name them. A field that is null is as if it were absent.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <simdjson.h>

#include "serve/errors.h"

namespace sgpt::serve {

/// Owns the parsed text: elements and string views live as long as it does.
class JsonBody {
 public:
  /// Throws Failure: malformed, with the byte and what was found, or validation where it is no valid UTF-8.
  explicit JsonBody(const std::string& text);

  simdjson::dom::element root() const { return root_; }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

/// "a number", "a list", …
std::string_view name_of_type(simdjson::dom::element element);

[[noreturn]] void fail_field(const std::string& field, std::string_view expected, std::string_view found);

/// The fields of an object. Throws Failure (validation) when one has a type that is not its own.
class Fields {
 public:
  /// `name` of the object in messages; "" for the body itself.
  Fields(simdjson::dom::element element, std::string name);

  /// Nothing where it is absent or null.
  std::optional<simdjson::dom::element> find(std::string_view field) const;
  std::optional<std::string_view> text(std::string_view field) const;
  std::optional<bool> flag(std::string_view field) const;
  std::optional<std::int64_t> whole(std::string_view field) const;
  /// One of the words (without regard to capitals); as it stands in the list.
  std::optional<std::string_view> word(std::string_view field, std::initializer_list<std::string_view> words) const;
  /// The name of a field in messages.
  std::string named(std::string_view field) const;

 private:
  simdjson::dom::object object_;
  std::string name_;
};

}  // namespace sgpt::serve
