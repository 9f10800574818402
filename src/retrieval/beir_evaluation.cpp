#include "retrieval/beir_evaluation.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "base/filesystem.h"
#include "base/log.h"
#include "base/progress.h"
#include "encode/encoder_parts.h"
#include "encode/model_identity.h"
#include "encode/text_source.h"
#include "retrieval/chunk_pacer.h"
#include "retrieval/corpus_index.h"
#include "retrieval/qrels.h"
#include "retrieval/trec_run.h"
#include "sgpt/error.h"
#include "sgpt/search.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

/// Embeds the corpus piece by piece and searches each at once.
Found search_stream(const EncoderTeam& team, const NamedDataSet& data_set, const QueryTexts& queries,
                    std::int64_t top_k, Similarity similarity) {
  const EncoderOptions& options = team.encoder().options();
  ExactSearch search(
      team.encode_queries(queries.texts, queries.places),
      {.top_k = top_k, .similarity = similarity, .threads = options.threads, .backend = options.backend});
  const fs::path file = data_set.folder.corpus();
  CorpusReader corpus(file);
  Progress progress(fmt::format("{}: documents", data_set.name), "documents",
                    count_texts(file, TextFormat::json_lines));
  Found found;
  std::vector<std::string> contents;
  std::vector<std::string> places;
  ChunkPacer chunk;
  for (bool more = true; more;) {
    Document document;
    contents.clear();
    places.clear();
    while (contents.size() < chunk.size() && (more = corpus.next(document))) {
      found.ids.push_back(std::move(document.id));
      contents.push_back(std::move(document.content));
      places.push_back(corpus.place());
    }
    chunk.begin();
    search.add(team.encode_documents(contents, places).values);
    chunk.end();
    progress.update(corpus.documents() + corpus.dropped());
  }
  tell_left_out(data_set, corpus);
  found.hits = search.hits();
  return found;
}

/// The same through the cache: a stopped evaluation goes on, and the next search finds the embeddings there.
Found search_cached(const EncoderTeam& team, const NamedDataSet& data_set, const QueryTexts& queries,
                    std::int64_t top_k, Similarity similarity, const fs::path& cache) {
  const CorpusIndex index(team, data_set.folder.corpus(), cache);
  Found found{index.search(queries.texts, top_k, queries.places, similarity), {}};
  CorpusReader corpus(index.stream());
  for (Document document; corpus.next(document);) found.ids.push_back(std::move(document.id));
  tell_left_out(data_set, corpus);
  return found;
}

/// The hits by id, in trec_eval's order; unless that is to be kept, without the query itself.
std::vector<ScoredDocument> ranking(const std::vector<Hit>& hits, const std::vector<std::string>& ids,
                                    const std::string& query, const BeirOptions& options) {
  std::vector<ScoredDocument> result;
  for (const Hit& hit : hits) {
    const std::string& id = ids[static_cast<std::size_t>(hit.document)];
    if (id == query && !options.keep_same_ids) continue;
    if (result.size() < static_cast<std::size_t>(options.hits)) result.push_back({id, hit.score});
  }
  sort_as_trec_eval(result);
  return result;
}

}  // namespace

void tell_left_out(const NamedDataSet& data_set, const CorpusReader& corpus) {
  if (corpus.dropped() > 0) {
    log::info(fmt::format("{}: {} documents with an empty text were left out", data_set.name, corpus.dropped()));
  }
  if (corpus.only_titles() > 0) {
    log::info(fmt::format("{}: {} documents have a title and no text; SGPT's published evaluation leaves such out",
                          data_set.name, corpus.only_titles()));
  }
}

DataSetResult evaluate_search(const SearchDataSet& search, const NamedDataSet& data_set, const BeirOptions& options) {
  const std::string split = data_set.split(options.split);
  const Qrels qrels = read_qrels(data_set.folder.qrels(split));
  const auto queries = read_judged_queries(data_set.folder.queries(), qrels);
  std::unique_ptr<TrecRunWriter> run;  // opened before the long work, so that a wrong path is known at once
  if (!options.run_file.empty()) run = std::make_unique<TrecRunWriter>(options.run_file, options.model_name);

  QueryTexts texts;
  for (const Query& query : queries) {
    texts.texts.push_back(query.text);
    texts.places.push_back(query.place);
  }
  const std::int64_t top_k = options.hits + 1;  // the query itself may be among the documents
  const Found found = search(data_set, texts, top_k);

  Evaluator evaluator(qrels, kCutoffs);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    auto ranked = ranking(found.hits[i], found.ids, queries[i].id, options);
    if (run) run->add(queries[i].id, ranked);
    evaluator.add(queries[i].id, std::move(ranked));
  }
  if (run) run->commit();

  DataSetResult result{options.model_name, data_set.name, evaluator.cutoffs(), evaluator.means(),
                       options.keep_same_ids};
  for (const Metric metric : all_metrics()) {
    for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
      result.values.at(metric, c) = rounded(result.values.at(metric, c));
    }
  }
  log::info(
      fmt::format("{}: {} queries, {} documents, split {}", data_set.name, queries.size(), found.ids.size(), split));
  return result;
}

DataSetResult evaluate_data_set(const EncoderTeam& team, const NamedDataSet& data_set, const BeirOptions& options) {
  BeirOptions named = options;
  if (named.model_name.empty()) named.model_name = team.encoder().parts().folder.name;
  const Similarity similarity = options.similarity.value_or(folder_similarity(team.encoder()));
  DataSetResult result = evaluate_search(
      [&](const NamedDataSet& searched, const QueryTexts& queries, std::int64_t top_k) {
        return options.cache ? search_cached(team, searched, queries, top_k, similarity, *options.cache)
                             : search_stream(team, searched, queries, top_k, similarity);
      },
      data_set, named);
  result.options = chosen_options(team.encoder());
  if (similarity != Similarity::cosine) {
    result.options += fmt::format("{}similarity={}", result.options.empty() ? "" : " ", name_of(similarity));
  }
  return result;
}

std::vector<DataSetResult> evaluate_data_sets(const EvaluateDataSet& evaluate,
                                              const std::vector<NamedDataSet>& data_sets, const BeirOptions& options,
                                              const OnResult& on_result) {
  std::vector<DataSetResult> results;
  for (const NamedDataSet& data_set : data_sets) {
    BeirOptions own = options;
    if (data_sets.size() > 1) own.run_file = with_name(options.run_file, data_set.name);
    results.push_back(evaluate(data_set, own));
    on_result(results.back());
  }
  if (data_sets.size() == 1) return results;
  const std::string& first = results.front().data_set;
  results.push_back(mean_of(results, first.substr(0, first.rfind('_'))));
  on_result(results.back());
  return results;
}

DataSetResult mean_of(const std::vector<DataSetResult>& forums, const std::string& name) {
  DataSetResult mean{forums.front().model,         name,
                     forums.front().cutoffs,       MetricTable(forums.front().cutoffs.size()),
                     forums.front().kept_same_ids, forums.front().options};
  for (const Metric metric : all_metrics()) {
    for (std::size_t c = 0; c < mean.cutoffs.size(); ++c) {
      double sum = 0;
      for (const DataSetResult& forum : forums) sum += forum.values.at(metric, c);
      mean.values.at(metric, c) = sum / static_cast<double>(forums.size());
    }
  }
  return mean;
}

fs::path with_name(const fs::path& file, const std::string& name) {
  if (file.empty()) return file;
  return file.parent_path() / fmt::format("{}_{}{}", file.stem().string(), name, file.extension().string());
}

}  // namespace sgpt
