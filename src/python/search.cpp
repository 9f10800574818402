// Exact search and retrieval metrics.
#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <pybind11/stl.h>

#include "python/bindings.h"
#include "sgpt/error.h"
#include "sgpt/metrics.h"
#include "sgpt/search.h"

namespace sgpt::python {
namespace {

using Rows = py::array_t<float, py::array::c_style>;
constexpr std::int64_t kDocumentsAtOnce = 1 << 14;  // between two looks for signals

/// (int64 [queries, hits], float32 [queries, hits]); places without a hit: -1 and minus infinity.
py::tuple search(const Rows& queries, const Rows& documents, std::int64_t top_k, const std::string& similarity,
                 int threads) {
  const auto compared = similarity_from(similarity);
  if (!compared) {
    throw UserError(
        fmt::format("no similarity is called '{}'; there are cosine, dot, euclidean and manhattan", similarity));
  }
  const std::int64_t n = queries.shape(0), d = queries.shape(1), count = documents.shape(0);
  const float* const rows = documents.data();
  Embeddings asked{n, d, std::vector<float>(queries.data(), queries.data() + n * d)};
  std::vector<std::vector<Hit>> hits;
  KeptException kept;
  {
    const py::gil_scoped_release computing;
    ExactSearch exact(asked, {.top_k = top_k, .similarity = *compared, .threads = threads});
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

/// Calls take(query, document, number) for every number of a dict of dicts.
template <class Take>
void walk(const py::object& given, const char* what, const char* number, const Take& take) {
  if (!py::isinstance<py::dict>(given)) {
    throw UserError(fmt::format("{} is a {}; expected a dict of dicts: query id, document id, {}", what,
                                Py_TYPE(given.ptr())->tp_name, number));
  }
  for (const auto& [query, documents] : py::reinterpret_borrow<py::dict>(given)) {
    const std::string q = text_from(query, fmt::format("{}: a query's id", what));
    const std::string at = fmt::format("{}: query {}", what, q);
    if (!py::isinstance<py::dict>(documents)) {
      throw UserError(
          fmt::format("{} has a {}; expected a dict: document id, {}", at, Py_TYPE(documents.ptr())->tp_name, number));
    }
    for (const auto& [document, value] : py::reinterpret_borrow<py::dict>(documents)) {
      const std::string id = text_from(document, at + ": a document's id");
      try {
        take(q, id, value);
      } catch (const py::error_already_set&) {
        throw UserError(
            fmt::format("{}, document {} has a {}; expected {}", at, id, Py_TYPE(value.ptr())->tp_name, number));
      }
    }
    take(q);
  }
}

int relevance(py::handle value) {
  const auto whole = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!whole) throw py::error_already_set();
  const long number = PyLong_AsLong(whole.ptr());
  if (number == -1 && PyErr_Occurred()) throw py::error_already_set();
  return static_cast<int>(std::clamp<long>(number, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

double score(py::handle value) {
  const double number = PyFloat_AsDouble(value.ptr());
  if (number == -1.0 && PyErr_Occurred()) throw py::error_already_set();
  return number;
}

struct QrelsFrom {
  Qrels& qrels;
  void operator()(const std::string& query) const { qrels[query]; }
  void operator()(const std::string& query, const std::string& document, py::handle value) const {
    qrels[query][document] = relevance(value);
  }
};

struct RunFrom {
  Run& run;
  void operator()(const std::string& query) const { run[query]; }
  void operator()(const std::string& query, const std::string& document, py::handle value) const {
    run[query].push_back({document, score(value)});
  }
};

py::dict named(const MetricTable& values, const std::vector<int>& cutoffs) {
  py::dict result;
  for (const Metric metric : all_metrics()) {
    for (std::size_t i = 0; i < cutoffs.size(); ++i) {
      result[py::str(fmt::format("{}@{}", name_of(metric), cutoffs[i]))] = values.at(metric, i);
    }
  }
  return result;
}

/// (the means, {query: values})
py::tuple evaluate_run(const py::object& given_qrels, const py::object& given_run, const std::vector<int>& cutoffs) {
  Qrels qrels;
  Run run;
  walk(given_qrels, "qrels", "a relevance (int)", QrelsFrom{qrels});
  walk(given_run, "run", "a score (float)", RunFrom{run});
  Evaluation result;
  {
    const py::gil_scoped_release computing;
    result = evaluate(qrels, run, cutoffs);
  }
  py::dict queries;
  for (const auto& [query, values] : result.queries) queries[py::str(query)] = named(values, result.cutoffs);
  return py::make_tuple(named(result.means, result.cutoffs), queries);
}

}  // namespace

void add_search(py::module_& m) {
  using py::arg;
  m.def("exact_search", &search, arg("queries").noconvert(), arg("documents").noconvert(), arg("top_k"),
        arg("similarity"), arg("threads"));
  m.def("evaluate", &evaluate_run, arg("qrels"), arg("run"), arg("cutoffs"));
}

}  // namespace sgpt::python
