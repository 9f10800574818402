// Run files as trec_eval reads them: "query-id Q0 document-id rank score tag" a line.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "sgpt/metrics.h"

namespace sgpt {

/// Throws UserError naming file and line when a line is malformed, a score is no finite number, or a document is listed
/// twice for a query; naming the file when it has no line.
Run read_trec_run(const std::filesystem::path& file);

/// Throws UserError, which begins with `place`, when an id is empty or has white space in it.
void require_id_for_run(std::string_view id, std::string_view place);

/// Writes a run query by query; scores have as many digits as give the same float when read back.
class TrecRunWriter {
 public:
  /// The tag names the run; white space in it becomes "_".
  TrecRunWriter(const std::filesystem::path& file, std::string_view tag);

  /// `hits` in trec_eval's order. Throws UserError as require_id_for_run does: the format has no place for such
  /// ids.
  void add(std::string_view query, const std::vector<ScoredDocument>& hits);
  void commit() { file_.commit(); }

 private:
  std::string place_;
  AtomicFile file_;
  std::string tag_;
};

}  // namespace sgpt
