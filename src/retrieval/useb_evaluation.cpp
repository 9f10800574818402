#include "retrieval/useb_evaluation.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/filesystem.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using Json = nlohmann::ordered_json;

/// As NumPy rounds a percentage to two places.
double percent(double value) { return std::nearbyint(value * 100 * 100) / 100; }

/// As Python's json module writes with an indentation of 4.
std::string dumped(const Json& json) {
  constexpr int kIndentation = 4;
  return json.dump(kIndentation, ' ', true);
}

}  // namespace

double UsebResult::Task::main_score() const {
  const auto found = std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.first == main_metric; });
  return percent(found->second);
}

double UsebResult::average() const {
  double sum = 0;
  for (const Task& task : tasks) sum += task.main_score();
  return sum / static_cast<double>(tasks.size());
}

std::string UsebResult::average_precision_json() const {
  Json json = Json::object();
  for (const Task& task : tasks) json[task.name] = task.main_score();
  json["avg"] = average();
  return dumped(json);
}

std::string UsebResult::detailed_json() const {
  Json json = Json::object();
  for (const Task& task : tasks) {
    Json& values = json[task.name] = Json::object();
    for (const auto& [name, value] : task.values) values[name] = percent(value);
  }
  return dumped(json);
}

UsebData::UsebData(const std::filesystem::path& data_eval, UsebPart part) {
  for (const char* name : {"askubuntu", "cqadupstack", "twitterpara", "scidocs"}) {
    if (files::is_folder(data_eval / name)) continue;
    throw UserError(fmt::format(
        "{}: there is no folder {} in it; expected USEB's data-eval with askubuntu, cqadupstack, twitterpara and "
        "scidocs",
        data_eval.string(), name));
  }
  tasks_.push_back(read_askubuntu(data_eval / "askubuntu", part));
  tasks_.push_back(read_cqadupstack(data_eval / "cqadupstack", part));
  tasks_.push_back(read_twitterpara(data_eval / "twitterpara"));
  tasks_.push_back(read_scidocs(data_eval / "scidocs", part));
}

UsebResult UsebData::evaluate(const EncoderTeam& team) const {
  UsebResult result;
  for (const auto& task : tasks_) {
    result.tasks.push_back({std::string(task->name()), std::string(task->main_metric()), task->evaluate(team)});
  }
  return result;
}

}  // namespace sgpt
