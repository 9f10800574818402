#include "base/log.h"

#include <cstdio>
#include <string>

namespace sgpt::log {
namespace {

void write_line(std::string_view prefix, std::string_view line) {
  std::string whole;
  whole.reserve(prefix.size() + line.size() + 1);
  whole.append(prefix).append(line).push_back('\n');
  std::fwrite(whole.data(), 1, whole.size(), stderr);  // stdio locks the stream for one call: lines never mix
}

}  // namespace

void info(std::string_view line) { write_line("", line); }
void warning(std::string_view line) { write_line("warning: ", line); }

}  // namespace sgpt::log
