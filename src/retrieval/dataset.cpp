#include "retrieval/dataset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/log.h"
#include "base/unicode.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

void line_ends_to_spaces(std::string& text) { std::replace(text.begin(), text.end(), '\n', ' '); }

std::string required_id(const JsonLineReader& line) {
  std::string id = line.required_string("_id");
  if (id.empty()) throw UserError(fmt::format("{}: \"_id\" is empty; every line needs an id of its own", line.place()));
  return id;
}

/// "FILE:LINE" of the first line with this id.
std::string first_place_of(const std::filesystem::path& file, const std::string& id) {
  JsonLineReader reader(file);
  while (reader.next()) {
    if (reader.string("_id") == id) break;
  }
  return reader.place();
}

[[noreturn]] void repeated_id(const std::string& place, const std::string& id, const std::string& first_place) {
  throw UserError(fmt::format("{}: the id \"{}\" was already used in {}; ids must be unique", place, id, first_place));
}

// --- qrels ----------------------------------------------------------------------------------------------------------

/// The parts of a line: between tabs (BEIR) or between runs of white space (TREC).
std::vector<std::string_view> split(std::string_view line, bool at_tabs) {
  std::vector<std::string_view> fields;
  const std::string_view separators = at_tabs ? "\t" : " \t";
  std::size_t begin = 0;
  while (begin <= line.size()) {
    const std::size_t end = std::min(line.find_first_of(separators, begin), line.size());
    if (at_tabs || end > begin) fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

std::optional<int> integer(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Judgement {
  std::string_view query;
  std::string_view document;
  std::string_view relevance;
};

/// One line of BEIR's three or TREC's four columns; nothing when the number of columns is another.
std::optional<Judgement> judgement_of(std::string_view line, bool trec) {
  const auto fields = split(line, !trec);
  if (fields.size() != (trec ? 4u : 3u)) return std::nullopt;
  const Judgement judgement{fields[0], fields[trec ? 2 : 1], strip(fields.back())};
  if (judgement.query.empty() || judgement.document.empty()) return std::nullopt;
  return judgement;
}

[[noreturn]] void malformed(const LineReader& lines, std::string_view line, bool trec) {
  constexpr std::size_t kShown = 60;
  const std::string_view expected = trec ? "query-id 0 document-id integer" : "query-id TAB document-id TAB integer";
  throw UserError(fmt::format("{}: malformed judgement: expected {}, found \"{}\"{}", lines.place(), expected,
                              line.substr(0, kShown), line.size() > kShown ? " …" : ""));
}

}  // namespace

std::string DataSetFolder::name() const {
  const auto whole = std::filesystem::absolute(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

Document make_document(std::string id, std::string title, std::string text) {
  std::string content = title + " " + text;
  line_ends_to_spaces(content);
  return {std::move(id), std::move(title), std::move(text), std::string(strip(content))};
}

CorpusReader::CorpusReader(const std::filesystem::path& corpus_jsonl) : path_(corpus_jsonl), reader_(corpus_jsonl) {}

bool CorpusReader::next(Document& document) {
  while (reader_.next()) {
    std::string id = required_id(reader_);
    check_new(id);
    document = make_document(std::move(id), reader_.string("title").value_or(""), reader_.string("text").value_or(""));
    if (!document.text.empty() && !document.content.empty()) {
      ++documents_;
      return true;
    }
    ++dropped_;
  }
  if (documents_ == 0) {
    throw UserError(
        fmt::format("{}: the corpus is empty: expected lines {{\"_id\", \"title\", \"text\"}} with a text, found {}",
                    path_.string(), dropped_ == 0 ? "none" : fmt::format("{} lines without one", dropped_)));
  }
  return false;
}

void CorpusReader::check_new(const std::string& id) {
  if (seen_.insert(XXH3_64bits(id.data(), id.size())).second) return;
  // Two ids may share a hash: only the file knows.
  const std::string first = first_place_of(path_, id);
  if (first != place()) repeated_id(place(), id, first);
}

std::vector<Query> read_queries(const std::filesystem::path& queries_jsonl) {
  std::vector<Query> queries;
  std::unordered_set<std::string> seen;
  JsonLineReader reader(queries_jsonl);
  while (reader.next()) {
    Query query{required_id(reader), reader.required_string("text")};
    if (!seen.insert(query.id).second) {
      repeated_id(reader.place(), query.id, first_place_of(queries_jsonl, query.id));
    }
    line_ends_to_spaces(query.text);
    queries.push_back(std::move(query));
  }
  if (queries.empty()) {
    throw UserError(fmt::format("{}: expected lines {{\"_id\", \"text\"}}, found no query", queries_jsonl.string()));
  }
  return queries;
}

std::vector<Query> read_judged_queries(const std::filesystem::path& queries_jsonl, const Qrels& qrels) {
  std::vector<Query> queries = read_queries(queries_jsonl);
  std::erase_if(queries, [&](const Query& query) { return !qrels.contains(query.id); });
  if (queries.size() == qrels.size()) return queries;
  std::unordered_set<std::string_view> present;
  for (const Query& query : queries) present.insert(query.id);
  const auto missing =
      std::find_if(qrels.begin(), qrels.end(), [&](const auto& judged) { return !present.contains(judged.first); });
  throw UserError(
      fmt::format("{}: {} of the {} judged queries are missing, the first of them \"{}\"; queries and qrels "
                  "must belong to the same data set",
                  queries_jsonl.string(), qrels.size() - queries.size(), qrels.size(), missing->first));
}

Qrels read_qrels(const std::filesystem::path& file) {
  Qrels qrels;
  LineReader lines(file);
  std::string_view line;
  std::optional<bool> trec;
  std::int64_t changed = 0;
  std::string changed_place;
  while (lines.next(line)) {
    if (lines.number() == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);  // a byte order mark
    if (strip(line).empty()) continue;
    if (const auto bad = invalid_utf8(line)) {
      throw UserError(fmt::format("{}: byte {} is no valid UTF-8", lines.place(), *bad));
    }
    const bool first = !trec.has_value();
    if (first) trec = split(line, true).size() != 3 && split(line, false).size() == 4;
    const auto judgement = judgement_of(line, *trec);
    if (!judgement) malformed(lines, line, *trec);
    const auto relevance = integer(judgement->relevance);
    if (!relevance && first && !*trec) continue;  // the header
    if (!relevance) malformed(lines, line, *trec);
    auto& judgements = qrels[std::string(judgement->query)];
    const auto [place, is_new] = judgements.try_emplace(std::string(judgement->document), *relevance);
    if (is_new || place->second == *relevance) continue;
    place->second = *relevance;
    if (changed++ == 0) changed_place = lines.place();
  }
  if (qrels.empty()) {
    throw UserError(
        fmt::format("{}: no judgement found; expected lines query-id TAB document-id TAB integer", file.string()));
  }
  if (changed > 0) {
    log::warning(
        fmt::format("{}: {} judgements differ from earlier ones of the same pair (first in {}); the last counts",
                    file.string(), changed, changed_place));
  }
  return qrels;
}

}  // namespace sgpt
