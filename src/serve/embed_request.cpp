#include "serve/embed_request.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

namespace sgpt::serve {
namespace {

namespace dom = simdjson::dom;

constexpr std::array<std::string_view, 3> kQueries{"query", "search_query", "retrieval.query"};
constexpr std::array<std::string_view, 4> kDocuments{"document", "passage", "search_document", "retrieval.passage"};

std::int32_t token_id(dom::element element, const std::string& place) {
  std::int64_t id = 0;
  if (element.get(id)) fail_field(place, "a token id", name_of_type(element));
  if (id < 0 || id > std::numeric_limits<std::int32_t>::max()) {
    fail_field(place, "a token id of the model", fmt::format("{}", id));
  }
  return static_cast<std::int32_t>(id);
}

TokenIds token_ids(dom::array list, const std::string& place) {
  TokenIds ids;
  for (const dom::element element : list) ids.push_back(token_id(element, fmt::format("{}[{}]", place, ids.size())));
  if (ids.empty()) throw Failure{Kind::empty, fmt::format("{}: the list of token ids is empty", place), place};
  return ids;
}

}  // namespace

std::string Inputs::place(std::size_t i) const { return list ? fmt::format("{}[{}]", field, i) : field; }

Inputs read_inputs(dom::element element, std::string field, const InputRules& rules) {
  Inputs inputs{std::move(field)};
  std::string_view text;
  dom::array list;
  if (!element.get(text)) {
    inputs.list = false;
    inputs.texts.push_back(text);
    return inputs;
  }
  if (element.get(list)) fail_field(inputs.field, "a text or a list of texts", name_of_type(element));
  const auto refuse_ids = [&] {
    if (!rules.ids_refused.empty()) {
      throw Failure{Kind::validation, fmt::format("{}: {}", inputs.field, rules.ids_refused), inputs.field};
    }
  };
  for (const dom::element one : list) {
    dom::array ids;
    const std::string place = inputs.place(inputs.size());
    if (one.is_number() && inputs.size() == 0) {  // one list of ids
      refuse_ids();
      inputs.list = false;
      inputs.ids.push_back(token_ids(list, inputs.field));
      return inputs;
    }
    if (inputs.size() == rules.most) {
      throw Failure{Kind::validation,
                    fmt::format("{}: more than the {} inputs that one request may have (--max_client_batch_size)",
                                inputs.field, rules.most),
                    inputs.field};
    }
    if (!one.get(text)) {
      if (!inputs.ids.empty()) fail_field(place, "a list of token ids, as before it", "a text");
      inputs.texts.push_back(text);
    } else if (!one.get(ids)) {
      if (!inputs.texts.empty()) fail_field(place, "a text, as before it", "a list");
      refuse_ids();
      inputs.ids.push_back(token_ids(ids, place));
    } else {
      fail_field(place, rules.ids_refused.empty() ? "a text or a list of token ids" : "a text", name_of_type(one));
    }
  }
  if (inputs.size() == 0) throw Failure{Kind::empty, fmt::format("{}: the list is empty", inputs.field), inputs.field};
  return inputs;
}

std::optional<TextKind> read_kind(const Fields& fields) {
  for (const std::string_view field : {"prompt_name", "input_type", "task"}) {
    const auto said = fields.text(field);
    if (!said) continue;
    for (const std::string_view word : kQueries) {
      if (*said == word) return TextKind::query;
    }
    for (const std::string_view word : kDocuments) {
      if (*said == word) return TextKind::document;
    }
    fail_field(
        fields.named(field),
        fmt::format("{} for queries, or {} for documents", fmt::join(kQueries, ", "), fmt::join(kDocuments, ", ")),
        fmt::format("\"{}\"", said->substr(0, 60)));
  }
  return std::nullopt;
}

std::optional<TextKind> kind_of_name(std::string& name) {
  for (const auto& [end, kind] : {std::pair<std::string_view, TextKind>{":query", TextKind::query},
                                  std::pair<std::string_view, TextKind>{":document", TextKind::document}}) {
    if (!name.ends_with(end)) continue;
    name.resize(name.size() - end.size());
    return kind;
  }
  return std::nullopt;
}

std::optional<std::int64_t> read_dimensions(const Fields& fields, std::string_view field) {
  const auto dimensions = fields.whole(field);
  if (dimensions && *dimensions < 1) {
    fail_field(fields.named(field), "a positive number", fmt::format("{}", *dimensions));
  }
  return dimensions;
}

void append_numbers(std::string& json, std::span<const float> values) {
  std::size_t at = json.size();
  json.resize(at + values.size() * 17 + 2);  // "-1.2345678e-38,"
  json[at++] = '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) json[at++] = ',';
    at = static_cast<std::size_t>(std::to_chars(json.data() + at, json.data() + json.size(), values[i]).ptr -
                                  json.data());
  }
  json[at++] = ']';
  json.resize(at);
}

void append_base64(std::string& json, std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little);
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  const std::size_t count = values.size_bytes();
  std::size_t at = json.size();
  json.resize(at + (count + 2) / 3 * 4 + 2);
  json[at++] = '"';
  std::size_t i = 0;
  for (; i + 3 <= count; i += 3) {
    const std::uint32_t three = (std::uint32_t{bytes[i]} << 16) | (std::uint32_t{bytes[i + 1]} << 8) | bytes[i + 2];
    json[at++] = kDigits[three >> 18];
    json[at++] = kDigits[(three >> 12) & 63];
    json[at++] = kDigits[(three >> 6) & 63];
    json[at++] = kDigits[three & 63];
  }
  if (i < count) {
    const std::uint32_t rest = (std::uint32_t{bytes[i]} << 16) | (i + 1 < count ? std::uint32_t{bytes[i + 1]} << 8 : 0);
    json[at++] = kDigits[rest >> 18];
    json[at++] = kDigits[(rest >> 12) & 63];
    json[at++] = i + 1 < count ? kDigits[(rest >> 6) & 63] : '=';
    json[at++] = '=';
  }
  json[at++] = '"';
}

}  // namespace sgpt::serve
