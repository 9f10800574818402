#include "retrieval/results_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/mapped_file.h"
#include "base/output_target.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using Json = nlohmann::ordered_json;  // a file keeps its order

std::string key_of(Metric metric, int cutoff) { return fmt::format("{}@{}", name_of(metric), cutoff); }

/// An object within an object, made where it is missing.
Json& object_in(Json& parent, const std::string& key, const std::string& file) {
  Json& child = parent[key];
  if (child.is_null()) child = Json::object();
  if (!child.is_object()) {
    throw UserError(
        fmt::format("{}: \"{}\" is {}; expected an object as in {{\"ndcgs\": {{MODEL: {{DATASET: {{…}}}}}}}}", file,
                    key, child.type_name()));
  }
  return child;
}

/// Says it beside the values; a null takes away what was said.
void mark(Json& root, const char* key, const DataSetResult& result, const Json& value, const std::string& file) {
  if (!value.is_null()) {
    object_in(object_in(root, key, file), result.model, file)[result.data_set] = value;
  } else if (root.contains(key)) {
    object_in(object_in(root, key, file), result.model, file).erase(result.data_set);
  }
}

void merge(Json& root, std::span<const DataSetResult> results, const std::string& file) {
  for (const DataSetResult& result : results) {
    for (const Metric metric : all_metrics()) {
      Json& data_sets = object_in(object_in(root, std::string(group_of(metric)), file), result.model, file);
      Json values = Json::object();
      for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
        values[key_of(metric, result.cutoffs[c])] = result.values.at(metric, c);
      }
      data_sets[result.data_set] = std::move(values);
    }
    mark(root, "keep_same_ids", result, result.kept_same_ids ? Json(true) : Json(), file);
    mark(root, "options", result, result.options.empty() ? Json() : Json(result.options), file);
  }
}

Json read(const std::filesystem::path& file) {
  if (!is_results_file(file) || !files::exists(file)) return Json::object();
  const MappedFile content(file);
  if (content.text().empty()) return Json::object();
  Json root;
  try {
    root = Json::parse(content.text());
  } catch (const Json::exception& error) {
    throw UserError(
        fmt::format("{}: results are to be merged into this file, but it is no JSON: {}", file.string(), error.what()));
  }
  if (!root.is_object()) {
    throw UserError(fmt::format("{}: results are to be merged into this file; expected a JSON object, found {}",
                                file.string(), root.type_name()));
  }
  return root;
}

}  // namespace

bool is_results_file(const std::filesystem::path& file) { return !files::is_stream(file); }

std::string metrics_json(const MetricTable& values, std::span<const int> cutoffs) {
  Json json = Json::object();
  for (const Metric metric : all_metrics()) {
    for (std::size_t c = 0; c < cutoffs.size(); ++c) json[key_of(metric, cutoffs[c])] = values.at(metric, c);
  }
  return json.dump();
}

std::string results_json(std::span<const DataSetResult> results) {
  Json root = Json::object();
  merge(root, results, "");
  return root.dump(2);
}

void merge_into_results_file(const std::filesystem::path& file, std::span<const DataSetResult> results) {
  Json root = read(file);
  merge(root, results, file.string());
  write_file(file, root.dump(2) + "\n");
}

void check_results_file(const std::filesystem::path& file) {
  Json root = read(file);
  for (const Metric metric : all_metrics()) object_in(root, std::string(group_of(metric)), file.string());
  require_writable(file);
}

std::string metrics_table(const MetricTable& values, std::span<const int> cutoffs) {
  std::string table = fmt::format("{:10}", "");
  for (const int cutoff : cutoffs) table += fmt::format("{:>9}", fmt::format("@{}", cutoff));
  for (const Metric metric : all_metrics()) {
    table += fmt::format("\n{:10}", name_of(metric));
    for (std::size_t c = 0; c < cutoffs.size(); ++c) table += fmt::format("{:9.5f}", values.at(metric, c));
  }
  return table;
}

}  // namespace sgpt
