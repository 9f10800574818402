#include "train/msmarco/passage_scan.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <string_view>

#include "base/parallel.h"
#include "base/text_stream.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kReleaseBytes = std::size_t{1} << 24;  // scanned pages leave memory in pieces of this size
constexpr std::uint64_t kNoOffset = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t kLargestPid = std::numeric_limits<std::uint32_t>::max() - 1;

struct Line {
  std::uint64_t offset;  // of the text
  std::uint32_t pid;
};

/// What a thread found in its part of the file. (A deque: growing it copies nothing.)
struct Part {
  std::deque<Line> lines;
  std::string problem;  // of the line after the last one in `lines`
};

/// The problem with a line, or none.
std::string read_line(std::string_view line, std::uint64_t begin, Line& result) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return "expected a number, a tab and a text, found no tab";
  const auto [end, error] = std::from_chars(line.data(), line.data() + tab, result.pid);
  if (error != std::errc() || end != line.data() + tab || result.pid > kLargestPid) {
    return fmt::format("expected a passage's number (0 to {}) before the tab, found \"{}\"", kLargestPid,
                       line.substr(0, std::min<std::size_t>(tab, 40)));
  }
  result.offset = begin + tab + 1;
  return {};
}

Part scan(const MappedFile& file, std::size_t begin, std::size_t end) {
  Part part;
  const std::string_view text = file.text();
  std::size_t released = begin;
  while (begin < end) {
    const auto* newline = static_cast<const char*>(std::memchr(text.data() + begin, '\n', text.size() - begin));
    const std::size_t line_end = newline ? static_cast<std::size_t>(newline - text.data()) : text.size();
    Line line{};
    part.problem = read_line(text.substr(begin, line_end - begin), begin, line);
    if (!part.problem.empty()) return part;
    part.lines.push_back(line);
    begin = std::min(line_end + 1, text.size());
    if (begin - released >= kReleaseBytes) {
      drop_pages(file.bytes().subspan(released, kReleaseBytes));
      released += kReleaseBytes;
    }
  }
  drop_pages(file.bytes().subspan(released, end - released));
  return part;
}

/// The file, from `begin` on, cut at ends of lines.
std::vector<std::size_t> cuts(std::string_view text, std::size_t begin, std::size_t parts) {
  std::vector<std::size_t> result{begin};
  for (std::size_t i = 1; i < parts; ++i) {
    const std::size_t newline = text.find('\n', std::max(result.back(), text.size() / parts * i));
    result.push_back(newline == std::string_view::npos ? text.size() : newline + 1);
  }
  result.push_back(text.size());
  return result;
}

[[noreturn]] void fail_duplicate(const MappedFile& file, const std::vector<Part>& parts, std::uint32_t pid) {
  std::size_t number = 0;
  std::size_t first = 0;
  for (const Part& part : parts) {
    for (const Line& line : part.lines) {
      ++number;
      if (line.pid != pid) continue;
      if (first != 0) {
        throw UserError(fmt::format("{}:{}: passage {} was there before, on line {}; expected each number once",
                                    file.path().string(), number, pid, first));
      }
      first = number;
    }
  }
  throw std::logic_error("fail_duplicate: no duplicate");
}

/// The table when the pids are exactly 0 … N-1.
bool arrange_dense(const std::vector<Part>& parts, std::size_t count, PassageTable& table) {
  table.offsets.assign(count, kNoOffset);
  for (const Part& part : parts) {
    for (const Line& line : part.lines) {
      if (line.pid >= count || table.offsets[line.pid] != kNoOffset) return false;
      table.offsets[line.pid] = line.offset;
    }
  }
  return true;
}

void arrange_sorted(const MappedFile& file, const std::vector<Part>& parts, std::size_t count, PassageTable& table) {
  std::vector<Line> lines;
  lines.reserve(count);
  for (const Part& part : parts) lines.insert(lines.end(), part.lines.begin(), part.lines.end());
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.pid < b.pid; });
  const auto twins =
      std::adjacent_find(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.pid == b.pid; });
  if (twins != lines.end()) fail_duplicate(file, parts, twins->pid);
  table.offsets.clear();
  for (const Line& line : lines) {
    table.offsets.push_back(line.offset);
    table.pids.push_back(line.pid);
  }
}

}  // namespace

PassageTable scan_passages(const MappedFile& collection) {
  const std::vector<std::size_t> bounds =
      cuts(collection.text(), mark_length(collection.text(), collection.path().string()),
           static_cast<std::size_t>(std::max(1, omp_get_max_threads())));
  std::vector<Part> parts(bounds.size() - 1);
  parallel_tasks(std::ssize(parts), [&](std::int64_t number) {
    const auto i = static_cast<std::size_t>(number);
    parts[i] = scan(collection, bounds[i], bounds[i + 1]);
  });

  std::size_t count = 0;
  for (const Part& part : parts) {
    count += part.lines.size();
    if (part.problem.empty()) continue;
    throw UserError(fmt::format("{}:{}: {}", collection.path().string(), count + 1, part.problem));
  }
  if (count == 0) {
    throw UserError(collection.path().string() + " is empty: expected lines with a number, a tab and a text");
  }
  PassageTable table;
  if (!arrange_dense(parts, count, table)) arrange_sorted(collection, parts, count, table);
  return table;
}

}  // namespace sgpt
