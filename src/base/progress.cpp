#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "base/message_sinks.h"

namespace sgpt {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

constexpr duration<double> kTerminalInterval{0.1};
constexpr duration<double> kLineInterval{10.0};
constexpr int kBarWidth = 24;

std::string clock_text(double seconds) {
  const std::int64_t whole = std::llround(seconds);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string rate_text(double rate) {
  return rate >= 100  ? fmt::format("{:.0f}", rate)
         : rate >= 10 ? fmt::format("{:.1f}", rate)
                      : fmt::format("{:.2f}", rate);
}

std::string bar_text(double part) {
  const int full = static_cast<int>(part * kBarWidth);
  std::string bar;
  for (int i = 0; i < kBarWidth; ++i) bar += i < full ? "█" : "░";
  return bar;
}

/// A terminal that is gone is no reason to end the work: failures are not looked at.
void show(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

Progress::Progress(std::string title, std::string unit, std::int64_t total)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(steady_clock::now()),
      drawn_(start_) {}

Progress::~Progress() {
  if (resumed_ >= 0) draw(true);
}

void Progress::update(std::int64_t done, std::string_view note) {
  if (resumed_ < 0) {
    resumed_ = done;
    start_ = steady_clock::now();
  }
  done_ = done;
  note_ = note;
  const auto now = steady_clock::now();
  if (now - drawn_ < (terminal_ || progress_sink() ? kTerminalInterval : kLineInterval)) return;
  drawn_ = now;
  draw(false);
}

void Progress::draw(bool last) {
  if (const auto sink = progress_sink()) {
    return (*sink)({.title = title_, .unit = unit_, .done = done_, .total = total_, .note = note_, .last = last});
  }
  const double seconds = duration<double>(steady_clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_ - resumed_) / seconds : 0;
  std::string line = title_ + " ";
  const bool known = total_ > 0 && done_ <= total_;  // a total that was passed was none
  if (known) {
    const double part = std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
    if (terminal_) line += bar_text(part) + " ";
    line += fmt::format("{}/{} {} ({:.0f}%)", done_, total_, unit_, part * 100);
  } else {
    line += fmt::format("{} {}", done_, unit_);
  }
  if (rate > 0) line += fmt::format(", {} {}/s", rate_text(rate), unit_);
  if (last) {
    line += fmt::format(", took {}", clock_text(seconds));
  } else if (known && rate > 0) {
    line += fmt::format(", {} left", clock_text(static_cast<double>(total_ - done_) / rate));
  }
  if (!note_.empty()) line += ", " + note_;
  if (terminal_) {
    show(fmt::format("\r\x1b[K{}{}", line, last ? "\n" : ""));
  } else {
    show(fmt::format("{}\n", line));
  }
}

}  // namespace sgpt
