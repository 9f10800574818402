#include "retrieval/dataset.h"

#include <algorithm>

#include <fmt/format.h>
#include <xxhash.h>

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

}  // namespace sgpt
