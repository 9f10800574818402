#include "retrieval/trec_run.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "base/json_lines.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::string_view kSpace = " \t\v\f\r\n";
constexpr std::size_t kColumns = 6;

/// The six columns of a line; nothing when there are fewer or more.
std::optional<std::array<std::string_view, kColumns>> columns_of(std::string_view line) {
  std::array<std::string_view, kColumns> columns;
  std::size_t count = 0;
  for (std::size_t begin = line.find_first_not_of(kSpace); begin < line.size();) {
    const std::size_t end = std::min(line.find_first_of(kSpace, begin), line.size());
    if (count == kColumns) return std::nullopt;
    columns[count++] = line.substr(begin, end - begin);
    begin = line.find_first_not_of(kSpace, end);
  }
  if (count != kColumns) return std::nullopt;
  return columns;
}

std::optional<double> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// The number of the line that lists a document for a query a second time.
std::int64_t line_of_second(const std::filesystem::path& file, std::string_view query, std::string_view document) {
  LineReader lines(file);
  std::string_view line;
  int found = 0;
  while (found < 2 && lines.next(line)) {
    const auto columns = columns_of(line);
    if (columns && (*columns)[0] == query && (*columns)[2] == document) ++found;
  }
  return lines.number();
}

/// A document may stand once in a query's ranking.
void refuse_repeated_documents(const Run& run, const std::filesystem::path& file) {
  for (const auto& [query, hits] : run) {
    std::vector<std::string_view> ids;
    for (const ScoredDocument& hit : hits) ids.push_back(hit.id);
    std::sort(ids.begin(), ids.end());
    const auto repeated = std::adjacent_find(ids.begin(), ids.end());
    if (repeated == ids.end()) continue;
    throw UserError(fmt::format("{}:{}: document \"{}\" is listed a second time for query \"{}\"", file.string(),
                                line_of_second(file, query, *repeated), *repeated, query));
  }
}

}  // namespace

Run read_trec_run(const std::filesystem::path& file) {
  constexpr std::size_t kShown = 60;
  Run run;
  LineReader lines(file);
  std::string_view line;
  while (lines.next(line)) {
    if (line.find_first_not_of(kSpace) == std::string_view::npos) continue;
    valid_utf8(lines, line);
    const auto columns = columns_of(line);
    const auto score = columns ? number((*columns)[4]) : std::nullopt;
    if (!score) {
      throw UserError(
          fmt::format("{}: malformed line of a run: expected \"query-id Q0 document-id rank score tag\" with a "
                      "finite score, found \"{}\"{}",
                      lines.place(), line.substr(0, kShown), line.size() > kShown ? " …" : ""));
    }
    const std::string_view query = (*columns)[0];
    const std::string_view document = (*columns)[2];
    run[std::string(query)].push_back({std::string(document), *score});
  }
  refuse_repeated_documents(run, file);
  if (run.empty()) {
    throw UserError(
        fmt::format("{}: the run is empty; expected lines \"query-id Q0 document-id rank score tag\"", file.string()));
  }
  return run;
}

void require_id_for_run(std::string_view id, std::string_view place) {
  if (!id.empty() && id.find_first_of(kSpace) == std::string_view::npos) return;
  throw UserError(
      fmt::format("{}: the id \"{}\" cannot stand in a run file (--run_file): TREC's format wants ids without "
                  "white space; results alone take any id",
                  place, id));
}

TrecRunWriter::TrecRunWriter(const std::filesystem::path& file, std::string_view tag)
    : place_(file.string()), file_(file), tag_(tag) {
  for (char& c : tag_) {
    if (kSpace.find(c) != std::string_view::npos) c = '_';
  }
  if (tag_.empty()) tag_ = "sgpt";
}

void TrecRunWriter::add(std::string_view query, const std::vector<ScoredDocument>& hits) {
  require_id_for_run(query, place_);
  std::int64_t rank = 0;
  for (const ScoredDocument& hit : hits) {
    require_id_for_run(hit.id, place_);
    file_.write(fmt::format("{} Q0 {} {} {} {}\n", query, hit.id, ++rank, static_cast<float>(hit.score), tag_));
  }
}

}  // namespace sgpt
