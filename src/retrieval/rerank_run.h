// A run ranked anew by a cross-encoder: the first documents of each query, scored by a Reranker, written as a run and
// evaluated.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "encode/reranker_team.h"
#include "retrieval/data_sets.h"
#include "retrieval/results_file.h"

namespace sgpt {

struct RerankJob {
  std::filesystem::path first_stage;  ///< the run to rank anew
  NamedDataSet data_set;              ///< its corpus, queries and judgements
  std::string split = {};             ///< empty: as NamedDataSet::split
  std::int64_t top_k = 100;           ///< of each query's documents, by their score; equal ones in the file's order
  bool keep_same_ids = false;         ///< a document with its query's id counts; BEIR drops it
  std::filesystem::path run_file;     ///< where the new run goes
};

/// What the job reads and needs no model for. Throws UserError when something is missing or broken: a query or a
/// document of the run that the data set lacks, a query without text, an id that no run file can hold.
class RerankInput {
 public:
  explicit RerankInput(const RerankJob& job);

  std::size_t pairs() const { return pairs_.size(); }

 private:
  friend DataSetResult rerank_run(const RerankerTeam&, const RerankJob&, const RerankInput&);
  struct Candidate {
    std::size_t query;     // of queries_
    std::size_t document;  // of documents_
  };
  void choose_candidates();
  void read_queries();
  void read_documents();
  std::string job_line(const Reranker& reranker) const;

  RerankJob job_;
  Qrels qrels_;
  Run run_;  // the candidates
  std::vector<std::string> query_ids_, queries_, query_places_;
  std::vector<std::string> document_ids_, documents_;  // in the corpus' order
  std::vector<Candidate> pairs_;                       // by document, so that its queries come together
};

/// Scores the pairs, writes the run and gives the means. While it works, RUN_FILE.progress keeps the scores: it stays
/// when the run is killed, and the same call goes on from there.
DataSetResult rerank_run(const RerankerTeam& team, const RerankJob& job, const RerankInput& input);

}  // namespace sgpt
