// Semantic textual similarity: how well the similarities of a model's embeddings go with people's scores, in the
// numbers of sentence-transformers' EmbeddingSimilarityEvaluator.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encode/encoder_team.h"

namespace sgpt {

/// Pairs of sentences with people's scores; all lists are equally long.
struct StsPairs {
  std::vector<std::string> first;
  std::vector<std::string> second;
  std::vector<double> scores;
  std::vector<std::string> places;  ///< "FILE:LINE" of each, for messages; may be empty
};

/// Reads STS benchmark: stsbenchmark.tsv(.gz) of sentence-transformers, with a header that names the columns score,
/// sentence1, sentence2 and perhaps split, or the benchmark's own sts-test.csv, which has none (genre, file, year, id,
/// score, two sentences). Of a file with the column split, the rows of `split` ("test" when it is not given) are taken.
/// Throws UserError naming file and line when a column is missing or a score is no number, and naming the file when a
/// split is wanted and there is none, or there are fewer than two pairs or all have one score.
StsPairs read_sts(const std::filesystem::path& file, const std::optional<std::string>& split);

struct StsCorrelations {
  double pearson = 0;
  double spearman = 0;
};

/// Correlations of similarities and scores. Distances enter negated, so that all of them are the higher the better.
/// NaN where a model gives all pairs one similarity.
struct StsResult {
  StsCorrelations cosine;
  StsCorrelations euclidean;
  StsCorrelations manhattan;
  StsCorrelations dot;

  /// "cosine_pearson", "cosine_spearman", "euclidean_pearson", …: the order of the CSV file.
  std::array<std::pair<std::string_view, double>, 8> named() const;
  /// The largest Spearman's correlation, by which the reference chooses the best model; NaNs do not count, and alone
  /// they give -1.
  double main_score() const;
};

/// Of embeddings of the pairs' first and second sentences, a row each.
StsResult correlate(const Embeddings& first, const Embeddings& second, std::span<const double> scores);

/// Embeds the sentences as `kind` (without special brackets and prompts it makes no difference) and correlates.
StsResult evaluate_sts(const EncoderTeam& team, const StsPairs& pairs, TextKind kind = TextKind::plain);

/// A row of sentence-transformers' similarity_evaluation_NAME_results.csv. Epoch and steps are -1 for an evaluation by
/// itself, steps alone at the end of an epoch.
struct StsRow {
  std::int64_t epoch = -1;
  std::int64_t steps = -1;
  StsResult result;
};

/// The whole file.
std::string sts_csv(std::span<const StsRow> rows);

/// Puts a row below those that are in the file; a header when it is new. Throws UserError when it has another header.
void append_sts_row(const std::filesystem::path& csv, const StsRow& row);
/// The error that appending would end with, before the long work.
void check_sts_csv(const std::filesystem::path& csv);

}  // namespace sgpt
