#include "serve/cohere.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/json_string.h"

namespace sgpt::serve::cohere {
namespace {

constexpr std::array<std::string_view, 5> kTypes{"float", "int8", "uint8", "binary", "ubinary"};

template <class Number>
void append_whole(std::string& json, const std::vector<Number>& numbers, int shift) {
  json += '[';
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) json += ',';
    json += std::to_string(int{numbers[i]} + shift);
  }
  json += ']';
}

void append_row(std::string& json, std::string_view type, std::span<const float> row) {
  if (type == "float") append_numbers(json, row);
  if (type == "int8") append_whole(json, as_int8(row), 0);
  if (type == "uint8") append_whole(json, as_int8(row), 128);
  if (type == "ubinary") append_whole(json, as_bits(row), 0);
  if (type == "binary") append_whole(json, as_bits(row), -128);
}

void append_rows(std::string& json, std::string_view type, const EmbedAnswer& answer) {
  json += '[';
  for (std::int64_t i = 0; i < answer.rows; ++i) {
    if (i > 0) json += ',';
    append_row(json, type, answer.row(i));
  }
  json += ']';
}

std::vector<std::string_view> read_types(const Fields& fields) {
  std::vector<std::string_view> types;
  const auto element = fields.find("embedding_types");
  if (!element) return types;
  simdjson::dom::array list;
  if (element->get(list)) fail_field("embedding_types", "a list", name_of_type(*element));
  for (const simdjson::dom::element one : list) {
    const std::string place = fmt::format("embedding_types[{}]", types.size());
    std::string_view word;
    if (one.get(word)) fail_field(place, "a text", name_of_type(one));
    const auto* known = std::find(kTypes.begin(), kTypes.end(), word);
    if (known == kTypes.end()) {
      fail_field(place, fmt::format("one of {}", fmt::join(kTypes, ", ")), fmt::format("\"{}\"", word.substr(0, 60)));
    }
    if (std::find(types.begin(), types.end(), *known) == types.end()) types.push_back(*known);
  }
  return types;
}

}  // namespace

std::vector<std::int8_t> as_int8(std::span<const float> row) {
  float largest = 0;
  for (const float value : row) largest = std::max(largest, std::abs(value));
  std::vector<std::int8_t> bytes;
  for (const float value : row) {
    bytes.push_back(static_cast<std::int8_t>(largest > 0 ? std::lround(127 * value / largest) : 0));
  }
  return bytes;
}

std::vector<std::uint8_t> as_bits(std::span<const float> row) {
  std::vector<std::uint8_t> bytes((row.size() + 7) / 8);
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] > 0) bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (128U >> (i % 8)));
  }
  return bytes;
}

Request read_embed(std::shared_ptr<const JsonBody> body, const InputRules& rules, bool old) {
  const Fields fields(body->root(), "");
  Request request{{std::move(body)}, read_types(fields), old};
  for (const char* other : {"images", "inputs"}) {
    if (fields.find(other)) fail_field(other, "texts alone (in \"texts\")", fmt::format("\"{}\"", other));
  }
  const auto texts = fields.find("texts");
  if (!texts) throw Failure{Kind::validation, "texts: missing", "texts"};
  if (!texts->is_array()) fail_field("texts", "a list of texts", name_of_type(*texts));
  InputRules only = rules;
  only.ids_refused = "expected texts, found token ids";
  request.embed.inputs = read_inputs(*texts, "texts", only);
  request.embed.model = fields.text("model").value_or("");
  request.embed.kind = read_kind(fields);
  request.embed.dimensions = read_dimensions(fields, "output_dimension");
  if (const auto cut = fields.word("truncate", {"NONE", "START", "END"})) {
    request.embed.truncate = *cut != "NONE";
    request.embed.cut = *cut == "START" ? CutEnd::left : CutEnd::right;
  }
  if (request.types.empty() && !old) request.types = {"float"};
  return request;
}

std::string embeddings(const Request& request, const EmbedAnswer& answer, const std::string& id) {
  std::string json = fmt::format(R"({{"id":{},"embeddings":)", json_quoted(id));
  if (request.types.empty()) {
    append_rows(json, "float", answer);
  } else {
    for (const std::string_view type : request.types) {
      json += fmt::format(R"({}"{}":)", type == request.types.front() ? "{" : ",", type);
      append_rows(json, type, answer);
    }
    json += '}';
  }
  json += R"(,"texts":[)";
  for (const std::string_view text : request.embed.inputs.texts) {
    if (json.back() != '[') json += ',';
    json += json_quoted(text);
  }
  json += fmt::format(R"(],"meta":{{"api_version":{{"version":"{}"}},"billed_units":{{"input_tokens":{}}})",
                      request.old ? 1 : 2, answer.tokens);
  if (!answer.cut.empty()) {
    json += fmt::format(R"(,"warnings":["{} of {} texts were longer than the model takes, and were cut"])",
                        answer.cut.size(), answer.rows);
  }
  return json + fmt::format(R"(}},"response_type":"{}"}})",
                            request.types.empty() ? "embeddings_floats" : "embeddings_by_type");
}

}  // namespace sgpt::serve::cohere
