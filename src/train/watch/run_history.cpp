#include "train/watch/run_history.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string dump(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);  // paths may be in any encoding
}

/// The step of a whole line, or −1.
std::int64_t step_of(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return -1;
  return json["step"].get<std::int64_t>();
}

/// Opens a file of lines to write more of them, keeping those of the steps before.
void open_lines(const fs::path& path, std::int64_t first_step, std::ofstream& out) {
  std::string kept;
  if (first_step > 0) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
      const std::int64_t step = step_of(line);
      if (step < 0 || step >= first_step) break;
      kept += line + "\n";
    }
  }
  write_file(path, kept);
  out.close();
  out.clear();
  out.open(path, std::ios::app);
  if (!out) throw MachineError(fmt::format("{}: cannot be written", path.string()));
}

void write_line(std::ofstream& out, const std::string& line, const fs::path& path) {
  out << line << std::endl;
  if (!out) throw MachineError(fmt::format("{}: writing failed; is the disk full?", path.string()));
}

Json facts_of(const RunInfo& info) {
  const TrainOptions& options = info.options;
  Json facts;
  facts["command"] = options.command;
  facts["started"] = fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::time(nullptr)));
  facts["base model"] = options.model.string();
  facts["training data"] = options.train_data.string();
  facts["model folder"] = options.output.string();
  facts["steps planned"] = info.total_steps;
  facts["steps an epoch"] = info.steps_per_epoch;
  facts["epochs"] = options.epochs;
  facts["batch size"] = options.batch_size;
  facts["examples"] = info.examples;
  facts["trained parameters"] = info.trained_parameters;
  facts["learning rate"] = options.learning_rate;
  facts["schedule"] = fmt::format("{}, {} steps of warm-up", options.scheduler, options.warmup_steps);
  facts["weight decay"] = options.weight_decay;
  facts["pooling"] = std::string(name_of(options.pooling));
  facts["special brackets"] = options.brackets;
  facts["longest text"] = fmt::format("{} tokens", options.max_seq_length);
  facts["seed"] = options.seed;
  return facts;
}

// ---------------------------------------------------------------------------------------------------------- reading

[[noreturn]] void broken(const fs::path& path, std::int64_t line, const std::string& what) {
  throw UserError(fmt::format("{}:{}: {}; expected what sgpt train writes there", path.string(), line, what));
}

/// Calls `use(json)` for each line; what `use` does not find in a line makes it a broken one.
template <class Use>
void read_lines(const fs::path& path, const Use& use) {
  std::ifstream in(path);
  std::int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (in.eof()) break;  // no end of line: it is still being written
    try {
      use(nlohmann::json::parse(line));
    } catch (const nlohmann::json::exception&) {
      broken(path, number, "the line is broken");
    }
  }
  if (in.bad()) throw MachineError(fmt::format("{}: reading failed", path.string()));
}

Json read_object(const fs::path& path) {
  std::ifstream in(path);
  const Json json = Json::parse(in, nullptr, false);
  if (!json.is_object()) broken(path, 1, "no JSON object");
  return json;
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return dump(value);
}

/// Numbers that were not finite are null in JSON.
double number(const nlohmann::json& json, const char* key) {
  const auto& value = json.at(key);
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

RunRecord::Bins bins_of(const nlohmann::json& json) {
  RunRecord::Bins bins{
      json.at("step").get<std::int64_t>(), json.at("min").get<double>(), json.at("max").get<double>(), {}};
  const auto counts = json.at("bins").get<std::vector<double>>();
  std::copy_n(counts.begin(), std::min(counts.size(), bins.counts.size()), bins.counts.begin());
  return bins;
}

}  // namespace

void RunHistory::on_start(const RunInfo& info) {
  std::error_code none;
  if (info.first_step == 0) fs::remove(folder_.evaluation(), none);
  write_file(folder_.run(), dump(facts_of(info), 2) + "\n");
  open_lines(folder_.steps(), info.first_step, steps_);
  open_lines(folder_.histograms(), info.first_step, histograms_);
}

void RunHistory::on_step(const TrainStep& step) {
  const Json line{{"step", step.step},
                  {"loss", step.loss},
                  {"gradient_norm", step.gradient_norm},
                  {"lr", step.learning_rate},
                  {"tokens", step.tokens},
                  {"tokens_per_second", std::round(step.tokens_per_second * 10) / 10}};
  write_line(steps_, dump(line), folder_.steps());
}

void RunHistory::on_histograms(std::int64_t step, std::span<const NamedHistogram> histograms) {
  for (const NamedHistogram& histogram : histograms) {
    const Histogram& values = histogram.values;
    const Json line{{"step", step},      {"name", histogram.name}, {"count", values.count}, {"min", values.min},
                    {"max", values.max}, {"sum", values.sum},      {"bins", values.bins}};
    write_line(histograms_, dump(line), folder_.histograms());
  }
}

void RunHistory::on_end(const TrainResult& result) {
  Json facts = read_object(folder_.run());
  facts["steps done"] = result.steps;
  facts["seconds in steps"] = std::round(result.seconds * 10) / 10;
  facts["tokens"] = result.tokens;
  facts["last loss"] = result.last_loss;
  write_file(folder_.run(), dump(facts, 2) + "\n");
}

RunRecord read_run(const fs::path& path) {
  const RunFolder folder{path};
  std::error_code none;
  if (!fs::is_regular_file(folder.run(), none)) {
    throw UserError(
        fmt::format("{}: no training run is recorded here: expected the folder that sgpt train writes "
                    "beside its model (MODEL_SAVE_PATH.run), with a run.json",
                    path.string()));
  }
  RunRecord record;
  const Json facts = read_object(folder.run());
  for (const auto& [name, value] : facts.items()) {
    if (name == "command") {
      record.command = text_of(value);
    } else {
      record.facts.emplace_back(name, text_of(value));
    }
  }
  read_lines(folder.steps(), [&](const nlohmann::json& json) {
    TrainStep step;
    step.step = json.at("step").get<std::int64_t>();
    step.loss = number(json, "loss");
    step.gradient_norm = number(json, "gradient_norm");
    step.learning_rate = number(json, "lr");
    step.tokens = json.at("tokens").get<std::int64_t>();
    step.tokens_per_second = number(json, "tokens_per_second");
    record.steps.push_back(step);
  });
  read_lines(folder.histograms(), [&](const nlohmann::json& json) {
    record.histograms[json.at("name").get<std::string>()].push_back(bins_of(json));
  });
  if (fs::exists(folder.evaluation(), none)) {
    const Json evaluation = read_object(folder.evaluation());
    for (const auto& [name, value] : evaluation.items()) record.evaluation.emplace_back(name, text_of(value));
  }
  return record;
}

}  // namespace sgpt
