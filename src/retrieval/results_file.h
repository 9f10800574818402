// Result files in the shape that SGPT's model cards have: {"ndcgs": {MODEL: {DATASET: {"NDCG@10": 0.71824, …}}},
// "maps": …}. Where documents with their query's id were counted, the file says so: {"keep_same_ids": {MODEL: {DATASET:
// true}}}; and where there were prompts, embeddings were cut or compared in another way than by cosine:
// {"options": {MODEL: {DATASET: "query_prompt=\"…\""}}}.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "sgpt/metrics.h"

namespace sgpt {

/// The means of one data set, as they shall stand in the file.
struct DataSetResult {
  std::string model;
  std::string data_set;
  std::vector<int> cutoffs;
  MetricTable values;
  bool kept_same_ids = false;  ///< documents with their query's id were counted, other than BEIR does
  std::string options = {};    ///< prompts and what else was chosen beside the model; empty: nothing
};

/// {"NDCG@1": …, …} of one metric, or of all of them, as JSON text on one line.
std::string metrics_json(const MetricTable& values, std::span<const int> cutoffs);

/// The results as JSON text.
std::string results_json(std::span<const DataSetResult> results);

/// Whether results can be added to it again and again: not where they go into a stream ("-" is stdout).
bool is_results_file(const std::filesystem::path& file);

/// Adds results to a file, which need not exist; what it says of other models and data sets stays. A stream gets these
/// alone. Throws UserError when the file is there and is no such JSON.
void merge_into_results_file(const std::filesystem::path& file, std::span<const DataSetResult> results);

/// The error that merging would end with, before the long work: throws UserError when the file cannot be merged into.
void check_results_file(const std::filesystem::path& file);

/// A table for people: a row a metric, a column a cut-off.
std::string metrics_table(const MetricTable& values, std::span<const int> cutoffs);

}  // namespace sgpt
