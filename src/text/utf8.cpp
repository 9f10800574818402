#include "text/utf8.h"

#include "base/unicode.h"

namespace sgpt {

std::string lossy_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Character character = first_character(bytes);
    text += character.valid ? bytes.substr(0, character.bytes) : std::string_view("\xEF\xBF\xBD");
    bytes.remove_prefix(character.bytes);
  }
  return text;
}

}  // namespace sgpt
