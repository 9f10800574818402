#include "base/unicode.h"

#include <simdjson.h>

namespace sgpt {
namespace {

/// What Python's str.isspace says yes to: the bidirectional types WS, B, S and the category Zs.
bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

}  // namespace

Utf8Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xc2 || lead > 0xf4) return {kReplacement, 1, false};
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  unsigned low = 0x80;  // bounds of the second byte
  unsigned high = 0xbf;
  if (lead == 0xe0) low = 0xa0;   // no over-long forms
  if (lead == 0xed) high = 0x9f;  // no surrogates
  if (lead == 0xf0) low = 0x90;   // no over-long forms
  if (lead == 0xf4) high = 0x8f;  // nothing past U+10FFFF
  char32_t code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size() || byte(i) < low || byte(i) > high) return {kReplacement, i, false};
    code = (code << 6) | (byte(i) & 0x3fu);
    low = 0x80;
    high = 0xbf;
  }
  return {code, length, true};
}

std::optional<std::size_t> invalid_utf8(std::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return std::nullopt;
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Character character = first_character(text.substr(at));
    if (!character.valid) return at;
    at += character.bytes;
  }
  return std::nullopt;
}

std::string_view strip(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character first = first_character(text);
    if (!first.valid || !is_space(first.code)) break;
    text.remove_prefix(first.bytes);
  }
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xc0u) == 0x80u) --start;
    const Utf8Character last = first_character(text.substr(start));
    if (!last.valid || last.bytes != text.size() - start || !is_space(last.code)) break;
    text.remove_suffix(last.bytes);
  }
  return text;
}

}  // namespace sgpt
