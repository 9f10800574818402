// Lines whose fields tabs separate, with no quoting at all.
#pragma once

#include <string_view>
#include <vector>

namespace sgpt {

/// One field more than there are tabs.
inline std::vector<std::string_view> tab_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t tab; (tab = line.find('\t')) != line.npos; line.remove_prefix(tab + 1)) {
    fields.push_back(line.substr(0, tab));
  }
  fields.push_back(line);
  return fields;
}

}  // namespace sgpt
