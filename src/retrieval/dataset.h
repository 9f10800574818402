// Data sets in BEIR's format: FOLDER/corpus.jsonl {_id, title, text}, FOLDER/queries.jsonl {_id, text} and
// FOLDER/qrels/SPLIT.tsv (qrels.h). Ids are strings; numbers are taken as their digits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/byte_source.h"
#include "base/json_lines.h"
#include "sgpt/metrics.h"

namespace sgpt {

/// Where the parts of a data set lie; each may have ".gz" behind its name.
struct DataSetFolder {
  std::filesystem::path path;
  std::filesystem::path corpus() const { return packed_or_plain(path / "corpus.jsonl"); }
  std::filesystem::path queries() const { return packed_or_plain(path / "queries.jsonl"); }
  std::filesystem::path qrels(std::string_view split) const {
    return packed_or_plain(path / "qrels" / (std::string(split) + ".tsv"));
  }
  /// The folder's own name: "scifact" for /data/scifact and /data/scifact/.
  std::string name() const;
};

struct Document {
  std::string id;
  std::string title;  ///< "" where missing or null
  std::string text;
  std::string content;  ///< what is embedded: both, by document_text()
};

/// Of an object {"_id", "title", "text"}. Throws UserError naming file and line when a value is of another kind, or the
/// id is missing or empty.
Document read_document(const JsonLineReader& object);

/// Streams a corpus.
class CorpusReader {
 public:
  /// A file, packed or not. Throws UserError when it is missing.
  explicit CorpusReader(const std::filesystem::path& corpus_jsonl);
  explicit CorpusReader(TextStream corpus);

  /// The next document; false at the end. Documents with neither title nor text are left out. Throws UserError naming
  /// file and line when something is no JSON object, lacks "_id" or repeats an id; naming the file when no document is
  /// left.
  bool next(Document& document);

  std::int64_t documents() const { return documents_; }      ///< returned so far
  std::int64_t dropped() const { return dropped_; }          ///< left out so far, being empty
  std::int64_t only_titles() const { return only_titles_; }  ///< of those returned: their text is empty
  std::int64_t line() const { return reader_.number(); }     ///< of the document last read, from 1
  std::string place() const { return reader_.place(); }      ///< "FILE:LINE" of the document last read
  std::uint64_t offset() const { return reader_.offset(); }  ///< where it begins in the unpacked file

 private:
  void check_new(const std::string& id);

  struct IdHash {  // of 128 bits: no two ids share one
    std::uint64_t low;
    std::uint64_t high;
    friend bool operator==(const IdHash&, const IdHash&) = default;
  };
  struct TakeLow {
    std::size_t operator()(const IdHash& hash) const { return hash.low; }
  };

  std::string name_;
  JsonLineReader reader_;
  std::unordered_map<IdHash, std::int64_t, TakeLow> lines_;  // of the ids
  std::int64_t documents_ = 0;
  std::int64_t dropped_ = 0;
  std::int64_t only_titles_ = 0;
};

struct Query {
  std::string id;
  std::string text;
  std::string place;  ///< "FILE:LINE"
};

/// All queries, in the file's order. Throws UserError naming file and line as CorpusReader does.
std::vector<Query> read_queries(const std::filesystem::path& queries_jsonl);

/// The queries that `qrels` judges, in the file's order. Throws UserError when one of them is missing in the file: the
/// average would silently leave it out.
std::vector<Query> read_judged_queries(const std::filesystem::path& queries_jsonl, const Qrels& qrels);

}  // namespace sgpt
