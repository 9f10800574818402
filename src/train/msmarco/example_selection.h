// Which passages train with which query: the mined negatives of each query, filtered by a cross-encoder's scores, so
// that passages which answer the query unlabelled are not trained against (semantics of train_bi-encoder_mnrl.py).
#pragma once

#include "sgpt/trainer.h"
#include "train/msmarco/collection.h"
#include "train/msmarco/example_table.h"
#include "train/msmarco/folder.h"
#include "train/msmarco/query_table.h"
#include "train/msmarco/scores.h"

namespace sgpt {

struct ExampleSources {
  const MsMarcoFolder& folder;
  const Collection& collection;
  const QueryTable& queries;
  CrossEncoderScores& scores;
};

/// Reads the hard negatives and adds an example for each query that has a positive and, unless all queries are asked
/// for, a negative. A negative is a passage whose score is at most (lowest score of a positive) - margin; of each
/// system in turn at most so many that earlier systems did not bring. Throws UserError naming file and line when the
/// line is broken, or names a query or passage that is not there, or one without a score; and when no example is left.
void select_examples(const ExampleSources& sources, const MsMarcoOptions& options, ExampleTableWriter& table);

}  // namespace sgpt
