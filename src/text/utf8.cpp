#include "text/utf8.h"

namespace sgpt {

namespace {

struct Sequence {
  std::size_t length;  // bytes that belong together
  bool whole;          // they are a character
};

/// The sequence at the begin of `bytes` (not empty), by the table of well-formed sequences (Unicode, table 3-7).
Sequence sequence_at(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t length = utf8_length(lead);
  unsigned char low = 0x80;  // bounds of the second byte
  unsigned char high = 0xBF;
  if (lead == 0xE0) low = 0xA0;   // no over-long forms
  if (lead == 0xED) high = 0x9F;  // no surrogates
  if (lead == 0xF0) low = 0x90;   // no over-long forms
  if (lead == 0xF4) high = 0x8F;  // nothing past U+10FFFF
  for (std::size_t i = 1; i < length; ++i) {
    if (i == bytes.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

}  // namespace

std::string lossy_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Sequence sequence = sequence_at(bytes);
    text += sequence.whole ? bytes.substr(0, sequence.length) : std::string_view("\xEF\xBF\xBD");
    bytes.remove_prefix(sequence.length);
  }
  return text;
}

}  // namespace sgpt
