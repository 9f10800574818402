// Training and BEIR evaluation.
#include <optional>

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "encode/encoder_team.h"
#include "python/bindings.h"
#include "retrieval/beir_evaluation.h"
#include "sgpt/encoder.h"

namespace sgpt::python {
namespace {

/// {data set: {"NDCG@10": …}}
py::dict evaluate_folder(const Encoder& encoder, const std::string& data_path, const std::string& data_set,
                         const std::string& split, bool keep_same_ids,
                         const std::optional<std::filesystem::path>& run_file,
                         const std::optional<std::filesystem::path>& cache) {
  std::vector<DataSetResult> results;
  {
    const py::gil_scoped_release computing;
    const std::vector<NamedDataSet> data_sets = find_data_sets(data_path, data_set);
    for (const NamedDataSet& found : data_sets) {
      check_data_set(found, {.split = split, .run_file = run_file.has_value(), .keep_same_ids = keep_same_ids});
    }
    const EncoderTeam team(encoder);
    results = evaluate_data_sets(
        [&](const NamedDataSet& found, const BeirOptions& options) { return evaluate_data_set(team, found, options); },
        data_sets,
        {.split = split,
         .run_file = run_file.value_or(""),
         .keep_same_ids = keep_same_ids,
         .similarity = {},
         .cache = cache},
        [](const DataSetResult&) {});
  }
  py::dict tables;
  for (const DataSetResult& result : results) {
    py::dict table;
    for (const Metric metric : all_metrics()) {
      for (std::size_t i = 0; i < result.cutoffs.size(); ++i) {
        const std::string name = std::string(name_of(metric)) + "@" + std::to_string(result.cutoffs[i]);
        table[py::str(name)] = result.values.at(metric, i);
      }
    }
    tables[py::str(result.data_set)] = table;
  }
  return tables;
}

}  // namespace

void add_training(py::module_& m) {
  using py::arg;
  m.def("evaluate_beir", &evaluate_folder, arg("encoder"), arg("data_path"), py::kw_only(), arg("data_set") = "",
        arg("split") = "", arg("keep_same_ids") = false, arg("run_file") = py::none(), arg("cache") = py::none());
}

}  // namespace sgpt::python
