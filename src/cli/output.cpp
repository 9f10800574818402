#include "cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "sgpt/error.h"

namespace sgpt::cli {

void print_part(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return;
  throw MachineError(fmt::format("writing the result to stdout failed: {}", std::strerror(errno)));
}

void print_result(std::string_view text) {
  print_part(text);
  if (std::fflush(stdout) == 0) return;
  throw MachineError(fmt::format("writing the result to stdout failed: {}", std::strerror(errno)));
}

}  // namespace sgpt::cli
