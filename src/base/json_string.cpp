// JSON's strings where they are not parsed: quoting, and escapes of half a character.
#include "base/json_string.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace sgpt {
namespace {

constexpr std::size_t kEscape = 6;  // characters of \uXXXX

/// The code of an escape \uXXXX at the beginning of `json`.
std::optional<unsigned> escaped_code(std::string_view json) {
  if (!json.starts_with("\\u") || json.size() < kEscape) return std::nullopt;
  unsigned code = 0;
  const char* const digits_end = json.data() + kEscape;
  const auto [end, error] = std::from_chars(json.data() + 2, digits_end, code, 16);
  if (error != std::errc() || end != digits_end) return std::nullopt;
  return code;
}

}  // namespace

std::int64_t replace_lone_surrogates(std::string& json) {
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = json.find('\\', at)) != std::string::npos;) {
    const std::string_view rest = std::string_view(json).substr(at);
    const auto code = escaped_code(rest);
    if (!code || *code < 0xd800 || *code > 0xdfff) {
      at += code ? kEscape : 2;
      continue;
    }
    const auto next = escaped_code(rest.substr(kEscape));
    if (*code < 0xdc00 && next && *next >= 0xdc00 && *next <= 0xdfff) {
      at += 2 * kEscape;
      continue;
    }
    json.replace(at, kEscape, "\\uFFFD");
    at += kEscape;
    ++count;
  }
  return count;
}

bool may_hold_surrogates(std::string_view json) {
  return json.find("\\ud") != std::string_view::npos || json.find("\\uD") != std::string_view::npos;
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
