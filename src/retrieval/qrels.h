// Relevance judgements of two formats: BEIR's query-id ⇥ corpus-id ⇥ integer, and TREC's "query-id 0 document-id
// integer".
#pragma once

#include <filesystem>

#include "sgpt/metrics.h"

namespace sgpt {

/// The first line decides which format it is, and may be a header: one is known by its names ("query-id", "score"), so
/// that no judgement is ever taken for one. In BEIR's format an id may stand in quotation marks, as CSV writers put
/// them and BEIR's loader takes them off. A relevance is a whole number; "1.0" is one. Of a pair that is judged twice
/// the last line counts, as in BEIR, with a warning when they differ. A judged document need not be in the corpus.
/// Throws UserError naming file and line, or when nothing is judged.
Qrels read_qrels(const std::filesystem::path& file);

}  // namespace sgpt
