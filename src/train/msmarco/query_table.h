// MS MARCO's training queries (queries.train.tsv): where the text of each begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/mapped_file.h"

namespace sgpt {

/// The text that begins there and ends with its line. Throws UserError when nothing can begin there, or when the text
/// is no valid UTF-8.
std::string query_text(const MappedFile& queries, std::uint64_t offset);

/// "FILE: query NUMBER" of the query that begins there, for messages.
std::string query_place(const MappedFile& queries, std::uint64_t offset);

class QueryTable {
 public:
  /// Throws UserError naming file and line when a line has no tab, no valid number, or a number that was there before.
  explicit QueryTable(const MappedFile& queries);

  /// Where the text of a query begins, or nothing.
  std::optional<std::uint64_t> offset(std::int64_t qid) const;

 private:
  struct Entry {
    std::int64_t qid;
    std::uint64_t offset;
    std::int64_t line;
  };
  std::vector<Entry> entries_;  // by qid
};

}  // namespace sgpt
