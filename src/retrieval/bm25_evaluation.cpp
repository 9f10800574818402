#include "retrieval/bm25_evaluation.h"

#include <fmt/format.h>

#include "base/parallel.h"
#include "base/progress.h"
#include "encode/text_source.h"

namespace sgpt {
namespace {

Found search_words(const Bm25Options& options, const NamedDataSet& data_set, const QueryTexts& queries,
                   std::int64_t top_k) {
  const auto file = data_set.folder.corpus();
  CorpusReader corpus(file);
  Progress progress(fmt::format("{}: documents", data_set.name), "documents",
                    count_texts(file, TextFormat::json_lines));
  Bm25Index index(options);
  Found found;
  for (Document document; corpus.next(document);) {
    index.add(document.content);
    found.ids.push_back(std::move(document.id));
    progress.update(corpus.documents() + corpus.dropped());
  }
  tell_left_out(data_set, corpus);
  found.hits.resize(queries.texts.size());
  parallel_tasks(static_cast<std::int64_t>(queries.texts.size()), [&](std::int64_t i) {
    const auto query = static_cast<std::size_t>(i);
    found.hits[query] = index.search(queries.texts[query], top_k);
  });
  return found;
}

}  // namespace

DataSetResult evaluate_bm25(const Bm25Options& bm25, const NamedDataSet& data_set, const BeirOptions& options) {
  return evaluate_search([&](const NamedDataSet& searched, const QueryTexts& queries,
                             std::int64_t top_k) { return search_words(bm25, searched, queries, top_k); },
                         data_set, options);
}

}  // namespace sgpt
