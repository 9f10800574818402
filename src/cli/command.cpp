#include "cli/command.h"

#include <algorithm>

namespace sgpt::cli {

std::string names(const std::string& spelling) {
  std::string result = spelling;
  std::size_t begin = 0;
  while (begin <= spelling.size()) {
    const std::size_t end = std::min(spelling.find(',', begin), spelling.size());
    std::string name = spelling.substr(begin, end - begin);
    if (name.find('_') != std::string::npos) {
      std::replace(name.begin(), name.end(), '_', '-');
      result += "," + name;
    }
    begin = end + 1;
  }
  return result;
}

}  // namespace sgpt::cli
