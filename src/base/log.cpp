#include "base/log.h"

#include <cstdio>
#include <mutex>
#include <string>
#include <unordered_set>

#include "base/fork.h"
#include "base/message_sinks.h"

namespace sgpt::log {
namespace {

void write_line(MessageLevel level, std::string_view line) {
  if (const auto sink = message_sink()) return (*sink)(level, line);
  const std::string_view prefix = level == MessageLevel::warning ? "warning: " : "";
  std::string whole;
  whole.reserve(prefix.size() + line.size() + 1);
  whole.append(prefix).append(line).push_back('\n');
  std::fwrite(whole.data(), 1, whole.size(), stderr);  // stdio locks the stream for one call: lines never mix
}

}  // namespace

void info(std::string_view line) { write_line(MessageLevel::info, line); }
void warning(std::string_view line) { write_line(MessageLevel::warning, line); }

void warning_once(std::string_view line) {
  static std::mutex mutex;
  static std::unordered_set<std::string> told;
  {
    const NoForkMeanwhile hold;
    const std::lock_guard lock(mutex);
    if (!told.emplace(line).second) return;
  }
  warning(line);
}

}  // namespace sgpt::log
