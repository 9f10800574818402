// BM25 on data sets in BEIR's format: a baseline, and the first stage whose run a cross-encoder re-ranks.
#pragma once

#include "retrieval/beir_evaluation.h"
#include "retrieval/bm25.h"

namespace sgpt {

/// As evaluate_data_set() of a model: the same documents, queries and files. A document is its title and text together.
DataSetResult evaluate_bm25(const Bm25Options& bm25, const NamedDataSet& data_set, const BeirOptions& options);

}  // namespace sgpt
