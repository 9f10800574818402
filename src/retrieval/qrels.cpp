#include "retrieval/qrels.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/json_lines.h"
#include "base/log.h"
#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using Columns = std::vector<std::string>;

/// Between tabs, as Python's csv module reads them (which BEIR's loader uses): a column that begins with a quotation
/// mark goes to the next single one, and "" within it is one mark. Nothing when a quotation is not closed.
std::optional<Columns> between_tabs(std::string_view line) {
  Columns columns(1);
  bool quoted = false;
  bool begins = true;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (begins && c == '"') {
      quoted = true;
    } else if (quoted && c == '"' && line.substr(i).starts_with("\"\"")) {
      columns.back() += line[++i];
    } else if (quoted && c == '"') {
      quoted = false;
    } else if (!quoted && c == '\t') {
      columns.emplace_back();
      begins = true;
      continue;
    } else {
      columns.back() += c;
    }
    begins = false;
  }
  if (quoted) return std::nullopt;
  return columns;
}

/// Between runs of white space.
Columns between_spaces(std::string_view line) {
  constexpr std::string_view kSpaces = " \t";
  Columns columns;
  for (std::size_t begin = line.find_first_not_of(kSpaces); begin < line.size();) {
    const std::size_t end = std::min(line.find_first_of(kSpaces, begin), line.size());
    columns.emplace_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kSpaces, end);
  }
  return columns;
}

/// A whole number, also one that is written "1.0".
std::optional<int> integer(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!(std::abs(value) <= std::numeric_limits<int>::max()) || value != std::trunc(value)) return std::nullopt;
  return static_cast<int>(value);
}

struct Judgement {
  std::string query;
  std::string document;
  std::string relevance;

  /// Known by what the columns are called, and by having no digit: not even a broken judgement is skipped.
  bool is_header() const {
    constexpr std::array<std::string_view, 6> kOfQueries{"query", "qid", "q_id", "q-id", "topic", "question"};
    constexpr std::array<std::string_view, 6> kOfRelevance{"score", "rel", "label", "grade", "judg", "rating"};
    if ((query + document + relevance).find_first_of("0123456789") != std::string::npos) return false;
    const auto named = [](std::string column, const auto& names) {
      std::transform(column.begin(), column.end(), column.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      return std::any_of(names.begin(), names.end(),
                         [&](std::string_view name) { return column.find(name) != std::string::npos; });
    };
    return !relevance.empty() && (named(query, kOfQueries) || named(relevance, kOfRelevance));
  }
};

/// One line of BEIR's three or TREC's four columns; nothing when the number of columns is another.
std::optional<Judgement> judgement_of(std::string_view line, bool trec) {
  const auto columns = trec ? between_spaces(line) : between_tabs(line);
  if (!columns || columns->size() != (trec ? 4u : 3u)) return std::nullopt;
  Judgement judgement{columns->front(), (*columns)[trec ? 2 : 1], std::string(strip(columns->back()))};
  if (judgement.query.empty() || judgement.document.empty()) return std::nullopt;
  return judgement;
}

bool is_trec(std::string_view line) {
  const auto columns = between_tabs(line);
  return (!columns || columns->size() != 3) && between_spaces(line).size() == 4;
}

[[noreturn]] void malformed(const LineReader& lines, std::string_view line, bool trec) {
  constexpr std::size_t kShown = 60;
  const std::string_view expected =
      trec ? "query-id 0 document-id and a whole number" : "query-id TAB document-id TAB whole number";
  throw UserError(fmt::format("{}: malformed judgement: expected {}, found \"{}\"{}", lines.place(), expected,
                              line.substr(0, kShown), line.size() > kShown ? " …" : ""));
}

}  // namespace

Qrels read_qrels(const std::filesystem::path& file) {
  Qrels qrels;
  LineReader lines(file);
  std::string_view line;
  std::optional<bool> trec;
  std::int64_t changed = 0;
  std::string changed_place;
  while (lines.next(line)) {
    if (strip(line).empty()) continue;
    valid_utf8(lines, line);
    const bool first = !trec.has_value();
    if (first) trec = is_trec(line);
    const auto judgement = judgement_of(line, *trec);
    if (!judgement) malformed(lines, line, *trec);
    const auto relevance = integer(judgement->relevance);
    if (!relevance && first && judgement->is_header()) continue;
    if (!relevance) malformed(lines, line, *trec);
    auto& judgements = qrels[judgement->query];
    const auto [place, is_new] = judgements.try_emplace(judgement->document, *relevance);
    if (is_new || place->second == *relevance) continue;
    place->second = *relevance;
    if (changed++ == 0) changed_place = lines.place();
  }
  if (qrels.empty()) {
    throw UserError(
        fmt::format("{}: no judgement found; expected lines query-id TAB document-id TAB whole number", file.string()));
  }
  if (changed > 0) {
    log::warning(
        fmt::format("{}: {} judgements differ from earlier ones of the same pair (first in {}); the last counts",
                    file.string(), changed, changed_place));
  }
  return qrels;
}

}  // namespace sgpt
