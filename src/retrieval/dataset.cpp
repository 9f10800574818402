#include "retrieval/dataset.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/unicode.h"
#include "encode/text_source.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

std::string required_id(const JsonLineReader& line) {
  std::string id = line.required_string("_id");
  if (id.empty()) throw UserError(fmt::format("{}: \"_id\" is empty; every line needs an id of its own", line.place()));
  return id;
}

/// `first`: the line that had it.
[[noreturn]] void repeated_id(const std::string& place, const std::string& id, std::int64_t first) {
  const std::string file = place.substr(0, place.rfind(':'));
  throw UserError(
      fmt::format("{}: the id \"{}\" was already used in {}:{}; ids must be unique", place, id, file, first));
}

}  // namespace

std::string DataSetFolder::name() const {
  const auto whole = std::filesystem::absolute(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

Document read_document(const JsonLineReader& object) {
  Document document{required_id(object), object.string("title").value_or(""), object.string("text").value_or(""), {}};
  document.content = document_text(document.title, document.text);
  return document;
}

CorpusReader::CorpusReader(const std::filesystem::path& corpus_jsonl) : CorpusReader(TextStream(corpus_jsonl)) {}
CorpusReader::CorpusReader(TextStream corpus) : name_(corpus.name()), reader_(std::move(corpus)) {}

bool CorpusReader::next(Document& document) {
  while (reader_.next()) {
    document = read_document(reader_);
    check_new(document.id);
    if (!strip(document.content).empty()) {
      ++documents_;
      if (document.text.empty()) ++only_titles_;
      return true;
    }
    ++dropped_;
  }
  if (documents_ == 0) {
    throw UserError(
        fmt::format("{}: the corpus is empty: expected lines {{\"_id\", \"title\", \"text\"}} with a text, found {}",
                    name_, dropped_ == 0 ? "none" : fmt::format("{} lines without one", dropped_)));
  }
  return false;
}

void CorpusReader::check_new(const std::string& id) {
  const XXH128_hash_t hash = XXH3_128bits(id.data(), id.size());
  const auto [first, is_new] = lines_.try_emplace({hash.low64, hash.high64}, line());
  if (!is_new) repeated_id(place(), id, first->second);
}

std::vector<Query> read_queries(const std::filesystem::path& queries_jsonl) {
  std::vector<Query> queries;
  std::unordered_map<std::string, std::int64_t> lines;
  JsonLineReader reader(queries_jsonl);
  while (reader.next()) {
    Query query{required_id(reader), reader.required_string("text"), reader.place()};
    const auto [first, is_new] = lines.try_emplace(query.id, reader.number());
    if (!is_new) repeated_id(reader.place(), query.id, first->second);
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
