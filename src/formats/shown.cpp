#include "formats/shown.h"

#include <fmt/format.h>

namespace sgpt {

std::string shown(std::string_view name) {
  constexpr std::size_t kLongest = 80;
  std::string result = "\"";
  for (const char c : name.substr(0, kLongest)) {
    if (c >= ' ' && c <= '~') {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return result + (name.size() > kLongest ? "…\"" : "\"");
}

}  // namespace sgpt
