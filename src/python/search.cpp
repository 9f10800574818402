// Exact search and retrieval metrics.
#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "python/bindings.h"
#include "sgpt/metrics.h"
#include "sgpt/search.h"

namespace sgpt::python {
namespace {

using Rows = py::array_t<float, py::array::c_style>;
constexpr std::int64_t kDocumentsAtOnce = 1 << 14;  // between two looks for signals

/// (int64 [queries, hits], float32 [queries, hits]); places without a hit: -1 and minus infinity.
py::tuple search(const Rows& queries, const Rows& documents, std::int64_t top_k, const std::string& similarity,
                 int threads) {
  const std::int64_t n = queries.shape(0), d = queries.shape(1), count = documents.shape(0);
  const float* const rows = documents.data();
  Embeddings asked{n, d, std::vector<float>(queries.data(), queries.data() + n * d)};
  std::vector<std::vector<Hit>> hits;
  KeptException kept;
  {
    const py::gil_scoped_release computing;
    ExactSearch exact(asked, {.top_k = top_k, .similarity = similarity_from(similarity).value(), .threads = threads});
    for (std::int64_t first = 0; first < count && kept.ask([] {}); first += kDocumentsAtOnce) {
      const std::int64_t here = std::min(kDocumentsAtOnce, count - first);
      exact.add({rows + first * d, static_cast<std::size_t>(here * d)});
    }
    hits = exact.hits();
  }
  kept.throw_on();
  const std::int64_t k = std::min(top_k, count);
  py::array_t<std::int64_t> places({n, k});
  py::array_t<float> scores({n, k});
  std::fill_n(places.mutable_data(), n * k, -1);
  std::fill_n(scores.mutable_data(), n * k, -std::numeric_limits<float>::infinity());
  for (std::int64_t q = 0; q < n; ++q) {
    std::int64_t rank = 0;
    for (const Hit& hit : hits[static_cast<std::size_t>(q)]) {
      places.mutable_at(q, rank) = hit.document;
      scores.mutable_at(q, rank++) = hit.score;
    }
  }
  return py::make_tuple(places, scores);
}

/// (the means, {query: values}). Throws TypeError for dicts of something else, which the package puts into words.
py::tuple evaluate_run(const Qrels& qrels, const std::map<std::string, std::map<std::string, double>>& scores,
                       const std::vector<int>& cutoffs) {
  Evaluation result;
  {
    const py::gil_scoped_release computing;
    Run run;
    for (const auto& [query, documents] : scores) {
      for (const auto& [document, score] : documents) run[query].push_back({document, score});
      run[query];
    }
    result = evaluate(qrels, run, cutoffs);
  }
  py::dict queries;
  for (const auto& [query, values] : result.queries) queries[py::str(query)] = named(values, result.cutoffs);
  return py::make_tuple(named(result.means, result.cutoffs), queries);
}

}  // namespace

py::dict named(const MetricTable& values, const std::vector<int>& cutoffs) {
  py::dict result;
  for (const Metric metric : all_metrics()) {
    for (std::size_t i = 0; i < cutoffs.size(); ++i) {
      result[py::str(fmt::format("{}@{}", name_of(metric), cutoffs[i]))] = values.at(metric, i);
    }
  }
  return result;
}

void add_search(py::module_& m) {
  using py::arg;
  m.def("exact_search", &search, arg("queries").noconvert(), arg("documents").noconvert(), arg("top_k"),
        arg("similarity"), arg("threads"));
  m.def("evaluate", &evaluate_run, arg("qrels"), arg("run"), arg("cutoffs"));
}

}  // namespace sgpt::python
