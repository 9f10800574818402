#include "text/json_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sgpt/error.h"

namespace sgpt {

namespace {

/// A short description for people: small values as they are, others by kind.
std::string description(simdjson::dom::element value) {
  using simdjson::dom::element_type;
  switch (value.type()) {
    case element_type::ARRAY: return fmt::format("a list of {}", simdjson::dom::array(value).size());
    case element_type::OBJECT: return "an object";
    case element_type::STRING: {
      const auto text = std::string_view(value);
      return text.size() <= 60 ? fmt::format("\"{}\"", text) : "a long string";
    }
    case element_type::NULL_VALUE: return "null";
    default: return simdjson::minify(value);
  }
}

}  // namespace

JsonNode::JsonNode(std::string file, std::string place, simdjson::dom::element value)
    : file_(std::move(file)), place_(std::move(place)), value_(value) {}

simdjson::dom::object JsonNode::object() const {
  simdjson::dom::object result;
  if (value_.get(result) != simdjson::SUCCESS) expected("an object");
  return result;
}

simdjson::dom::array JsonNode::array() const {
  simdjson::dom::array result;
  if (value_.get(result) != simdjson::SUCCESS) expected("a list");
  return result;
}

std::string_view JsonNode::string() const {
  std::string_view result;
  if (value_.get(result) != simdjson::SUCCESS) expected("a string");
  return result;
}

bool JsonNode::boolean() const {
  bool result = false;
  if (value_.get(result) != simdjson::SUCCESS) expected("true or false");
  return result;
}

double JsonNode::number() const {
  double result = 0;
  if (value_.get(result) != simdjson::SUCCESS) expected("a number");
  return result;
}

std::uint32_t JsonNode::integer_below(std::uint32_t end) const {
  std::uint64_t result = 0;
  if (value_.get(result) != simdjson::SUCCESS || result >= end)
    expected(fmt::format("an integer from 0 to {}", end - 1));
  return static_cast<std::uint32_t>(result);
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  simdjson::dom::element value;
  if (object().at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return at(key, value);
}

JsonNode JsonNode::required(std::string_view key) const {
  auto node = find(key);
  if (!node) complain(fmt::format("\"{}\" is missing", key));
  return *std::move(node);
}

bool JsonNode::boolean_or(std::string_view key, bool otherwise) const {
  const auto node = find(key);
  return node ? node->boolean() : otherwise;
}

void JsonNode::only(std::initializer_list<std::string_view> known) const {
  for (const auto [key, value] : object()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      complain(fmt::format("the key \"{}\" is not known; sgpt reads what tokenizers 0.23 writes", key));
    }
  }
}

JsonNode JsonNode::at(std::size_t i, simdjson::dom::element value) const {
  return {file_, fmt::format("{}[{}]", place_, i), value};
}

JsonNode JsonNode::at(std::string_view key, simdjson::dom::element value) const {
  return {file_, place_.empty() ? std::string(key) : fmt::format("{}.{}", place_, key), value};
}

std::string JsonNode::told(std::string_view what) const {
  return place_.empty() ? fmt::format("{}: {}", file_, what) : fmt::format("{}: {}: {}", file_, place_, what);
}

void JsonNode::complain(std::string_view what) const { throw UserError(told(what)); }

void JsonNode::expected(std::string_view what) const {
  complain(fmt::format("expected {}, found {}", what, description(value_)));
}

}  // namespace sgpt
