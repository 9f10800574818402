// Data sets in BEIR's format: FOLDER/corpus.jsonl {_id, title, text}, FOLDER/queries.jsonl {_id, text} and
// FOLDER/qrels/SPLIT.tsv (qrels.h). Ids are strings; numbers are taken as their digits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/json_lines.h"
#include "sgpt/metrics.h"

namespace sgpt {

/// Where the parts of a data set lie.
struct DataSetFolder {
  std::filesystem::path path;
  std::filesystem::path corpus() const { return path / "corpus.jsonl"; }
  std::filesystem::path queries() const { return path / "queries.jsonl"; }
  std::filesystem::path qrels(std::string_view split) const { return path / "qrels" / (std::string(split) + ".tsv"); }
  /// The folder's own name: "scifact" for /data/scifact and /data/scifact/.
  std::string name() const;
};

struct Document {
  std::string id;
  std::string title;  ///< "" where missing or null
  std::string text;
  std::string content;  ///< what is embedded: title + " " + text, line ends as spaces, stripped
};

/// With its content put together.
Document make_document(std::string id, std::string title, std::string text);

/// Streams a corpus.
class CorpusReader {
 public:
  /// Throws UserError when the file is missing.
  explicit CorpusReader(const std::filesystem::path& corpus_jsonl);

  /// The next document; false at the end. Documents whose text is empty, null or missing are left out. Throws UserError
  /// naming file and line when a line is no JSON object, lacks "_id" or repeats an id; naming the file when no document
  /// is left.
  bool next(Document& document);

  std::int64_t documents() const { return documents_; }   ///< returned so far
  std::int64_t dropped() const { return dropped_; }       ///< left out so far, their text being empty
  std::int64_t line() const { return reader_.number(); }  ///< of the document last read, from 1
  std::string place() const { return reader_.place(); }   ///< "FILE:LINE" of the document last read

 private:
  void check_new(const std::string& id);

  std::filesystem::path path_;
  JsonLineReader reader_;
  std::unordered_set<std::uint64_t> seen_;  // hashes of the ids
  std::int64_t documents_ = 0;
  std::int64_t dropped_ = 0;
};

struct Query {
  std::string id;
  std::string text;  ///< line ends as spaces
};

/// All queries, in the file's order. Throws UserError naming file and line as CorpusReader does.
std::vector<Query> read_queries(const std::filesystem::path& queries_jsonl);

/// The queries that `qrels` judges, in the file's order. Throws UserError when one of them is missing in the file: the
/// average would silently leave it out.
std::vector<Query> read_judged_queries(const std::filesystem::path& queries_jsonl, const Qrels& qrels);

}  // namespace sgpt
