#include "hub/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kLongestId = 96;
constexpr std::size_t kLongestPlainName = 128;
constexpr std::size_t kLongestPath = 1024;

bool is_word_character(unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; }

/// One of the two parts of an id, by the hub's own rules.
bool is_id_part(std::string_view part) {
  return !part.empty() && std::all_of(part.begin(), part.end(), is_word_character) && part.front() != '-' &&
         part.front() != '.' && part.back() != '-' && part.back() != '.';
}

bool is_id(std::string_view id) {
  const std::size_t slash = id.find('/');
  // "--" stands for the slash in the cache's folder names, so it can't be part of a name.
  if (id.size() > kLongestId || id.find("--") != id.npos || id.find("..") != id.npos) return false;
  if (slash == id.npos) return is_id_part(id);
  return is_id_part(id.substr(0, slash)) && is_id_part(id.substr(slash + 1));
}

}  // namespace

std::string HubName::text() const { return revision == "main" ? id : id + "@" + revision; }

HubName parse_hub_name(const std::string& text) {
  HubName name;
  const std::size_t at = text.find('@');
  name.id = text.substr(0, at);
  if (at != text.npos) name.revision = text.substr(at + 1);
  if (!is_id(name.id)) {
    throw UserError(
        fmt::format("{}: there is no such folder, and it is no name of a model on a hub, which looks like "
                    "ORG/NAME or ORG/NAME@REVISION",
                    printable(text)));
  }
  if (!is_safe_path(name.revision)) {
    throw UserError(fmt::format("{}: '{}' is no revision; expected the name of a branch or tag, or a commit",
                                printable(text), printable(name.revision)));
  }
  return name;
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool is_full_commit(std::string_view revision) { return is_hex(revision, 40); }

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestPlainName && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), is_word_character);
}

bool is_safe_path(std::string_view path) {
  if (path.size() > kLongestPath) return false;
  const auto is_bad = [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; };
  if (std::any_of(path.begin(), path.end(), is_bad)) return false;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 200;
  std::string result(text.substr(0, kLongest));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.size() > kLongest) result += "...";
  return result;
}

}  // namespace sgpt
