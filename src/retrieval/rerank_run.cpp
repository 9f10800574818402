#include "retrieval/rerank_run.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>
#include <xxhash.h>
#include <nlohmann/json.hpp>

#include "base/json_lines.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/unicode.h"
#include "encode/model_identity.h"
#include "encode/reranker_parts.h"
#include "retrieval/chunk_pacer.h"
#include "retrieval/qrels.h"
#include "retrieval/score_journal.h"
#include "retrieval/trec_run.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

/// Of texts and numbers, one after the other.
class Digest {
 public:
  void add(std::string_view text) { value_ = XXH3_64bits_withSeed(text.data(), text.size(), value_); }
  void add(std::size_t number) { value_ = XXH3_64bits_withSeed(&number, sizeof number, value_); }
  std::string text() const { return fmt::format("{:016x}", value_); }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace

RerankInput::RerankInput(const RerankJob& job) : job_(job) {
  qrels_ = read_qrels(job.data_set.folder.qrels(job.data_set.split(job.split)));
  run_ = read_trec_run(job.first_stage);
  choose_candidates();
  if (std::none_of(query_ids_.begin(), query_ids_.end(), [&](const auto& id) { return qrels_.contains(id); })) {
    throw UserError(fmt::format("{}: none of its {} queries is judged in {}; do they belong together?",
                                job.first_stage.string(), query_ids_.size(),
                                job.data_set.folder.qrels(job.data_set.split(job.split)).string()));
  }
  read_queries();
  read_documents();
  std::unordered_map<std::string_view, std::size_t> numbers;
  for (std::size_t i = 0; i < document_ids_.size(); ++i) numbers.emplace(document_ids_[i], i);
  for (std::size_t q = 0; q < query_ids_.size(); ++q) {
    for (const ScoredDocument& hit : run_.at(query_ids_[q])) pairs_.push_back({q, numbers.at(hit.id)});
  }
  std::stable_sort(pairs_.begin(), pairs_.end(),
                   [](const Candidate& a, const Candidate& b) { return a.document < b.document; });
}

void RerankInput::choose_candidates() {
  for (auto& [query, hits] : run_) {
    if (!job_.keep_same_ids) {
      std::erase_if(hits, [&, &id = query](const ScoredDocument& hit) { return hit.id == id; });
    }
    std::stable_sort(hits.begin(), hits.end(),
                     [](const ScoredDocument& a, const ScoredDocument& b) { return a.score > b.score; });
    if (std::ssize(hits) > job_.top_k) hits.resize(static_cast<std::size_t>(job_.top_k));
    query_ids_.push_back(query);
  }
}

void RerankInput::read_queries() {
  const fs::path file = job_.data_set.folder.queries();
  std::unordered_map<std::string_view, std::size_t> numbers;
  for (std::size_t q = 0; q < query_ids_.size(); ++q) numbers.emplace(query_ids_[q], q);
  queries_.resize(query_ids_.size());
  query_places_.resize(query_ids_.size());
  std::size_t found = 0;
  for (Query& query : sgpt::read_queries(file)) {
    const auto number = numbers.find(query.id);
    if (number == numbers.end()) continue;
    if (strip(query.text).empty()) {
      throw UserError(
          fmt::format("{}: the query \"{}\" has no text, so there is nothing to rank by", query.place, query.id));
    }
    queries_[number->second] = std::move(query.text);
    query_places_[number->second] = std::move(query.place);
    ++found;
  }
  if (found == query_ids_.size()) return;
  const auto missing = std::find(queries_.begin(), queries_.end(), "") - queries_.begin();
  throw UserError(
      fmt::format("{}: {} of its {} queries are not in {}, the first of them \"{}\"; run and data set must "
                  "belong together",
                  job_.first_stage.string(), query_ids_.size() - found, query_ids_.size(), file.string(),
                  query_ids_[static_cast<std::size_t>(missing)]));
}

void RerankInput::read_documents() {
  const fs::path file = job_.data_set.folder.corpus();
  std::unordered_map<std::string_view, std::int64_t> line_of;  // 0: not found yet
  for (const auto& [query, hits] : run_) {
    for (const ScoredDocument& hit : hits) line_of.emplace(hit.id, 0);
  }
  JsonLineReader reader(file);
  while (reader.next()) {
    Document document = read_document(reader);
    const auto wanted = line_of.find(document.id);
    if (wanted == line_of.end()) continue;
    if (wanted->second > 0) {
      throw UserError(fmt::format("{}: the id \"{}\" was already used in line {}; ids must be unique", reader.place(),
                                  document.id, wanted->second));
    }
    wanted->second = reader.number();
    document_ids_.push_back(std::move(document.id));
    documents_.emplace_back(strip(document.content));
  }
  if (document_ids_.size() == line_of.size()) return;
  for (const auto& [query, hits] : run_) {
    for (const ScoredDocument& hit : hits) {
      if (line_of.at(hit.id) > 0) continue;
      throw UserError(
          fmt::format("{}: {} of its documents are not in {}, the first of them \"{}\" of query \"{}\"; run "
                      "and data set must belong together",
                      job_.first_stage.string(), line_of.size() - document_ids_.size(), file.string(), hit.id, query));
    }
  }
}

std::string RerankInput::job_line(const Reranker& reranker) const {
  const Reranker::Parts& parts = reranker.parts();
  const RerankerOptions& options = parts.options;
  const bool several_kernels = *options.compute == ComputeType::bf16;  // each other type has the same bits in all
  Digest digest;
  for (const std::vector<std::string>* texts : {&queries_, &documents_}) {
    for (const std::string& text : *texts) digest.add(text);
  }
  for (const Candidate& pair : pairs_) digest.add(pair.query), digest.add(pair.document);
  return nlohmann::json{{"model", model_identity(parts.folder, parts.checkpoint)},
                        {"template", *options.yes_no ? "yes or no: " + options.instruction : options.text_template},
                        {"vocabulary_rows", options.vocabulary_rows},
                        {"max_length", *options.max_length},
                        {"backend", options.backend},
                        {"compute", name_of(*options.compute)},
                        {"kernel", several_kernels ? parts.backend->kernel_name(*options.compute) : ""},
                        {"pairs", digest.text()}}
      .dump();
}

DataSetResult rerank_run(const RerankerTeam& team, const RerankJob& job, const RerankInput& input) {
  const Reranker& reranker = team.reranker();
  const std::string model = reranker.parts().folder.name;
  TrecRunWriter run(job.run_file, model);
  ScoreJournal journal(job.run_file, input.job_line(reranker));
  std::vector<double> scores = journal.take();
  for (std::size_t q = 0; q < input.queries_.size(); ++q) {
    try {  // before hours of work on other queries
      static_cast<void>(reranker.parts().query_ids(input.queries_[q]));
    } catch (const UserError& error) {
      throw UserError(fmt::format("{}: {}", input.query_places_[q], error.what()));
    }
  }
  Progress progress("re-ranking", "pairs", std::ssize(input.pairs_));
  progress.update(std::ssize(scores));
  ChunkPacer chunk;
  while (scores.size() < input.pairs_.size()) {
    std::vector<QueryDocument> pairs;
    std::vector<std::string> places;
    while (pairs.size() < chunk.size() && scores.size() + pairs.size() < input.pairs_.size()) {
      const auto& pair = input.pairs_[scores.size() + pairs.size()];
      pairs.push_back({input.queries_[pair.query], input.documents_[pair.document]});
      places.push_back(fmt::format("query \"{}\" with document \"{}\"", input.query_ids_[pair.query],
                                   input.document_ids_[pair.document]));
    }
    chunk.begin();
    const std::vector<double> found = team.score(pairs, places);
    chunk.end();
    journal.append(found);
    scores.insert(scores.end(), found.begin(), found.end());
    progress.update(std::ssize(scores));
  }

  std::vector<std::vector<ScoredDocument>> ranked(input.queries_.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto& pair = input.pairs_[i];
    ranked[pair.query].push_back({input.document_ids_[pair.document], scores[i]});
  }
  Evaluator evaluator(input.qrels_, kCutoffs);
  for (std::size_t q = 0; q < ranked.size(); ++q) {
    sort_as_trec_eval(ranked[q]);
    run.add(input.query_ids_[q], ranked[q]);
    evaluator.add(input.query_ids_[q], std::move(ranked[q]));
  }
  run.commit();
  journal.remove();

  DataSetResult result{model, job.data_set.name, evaluator.cutoffs(), evaluator.means(), job.keep_same_ids};
  for (const Metric metric : all_metrics()) {
    for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
      result.values.at(metric, c) = rounded(result.values.at(metric, c));
    }
  }
  return result;
}

}  // namespace sgpt
