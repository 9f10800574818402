#include "train/watch/run_history.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <system_error>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/hub_path.h"
#include "base/log.h"
#include "sgpt/error.h"
#include "sgpt/metrics.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string dump(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);  // paths may be in any encoding
}

Json facts_of(const RunInfo& info) {
  const TrainOptions& options = info.options;
  Json facts;
  facts["command"] = options.command;
  facts["started"] = fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::time(nullptr)));
  facts["base model"] = model_shown(options.model);
  facts["training data"] = options.train_data.string();
  facts["model folder"] = options.output.string();
  facts["steps planned"] = info.total_steps;
  facts["steps an epoch"] = info.steps_per_epoch;
  facts["epochs"] = options.epochs;
  facts["batch size"] = options.batch_size;
  facts["examples"] = info.examples;
  facts["trained parameters"] = info.trained_parameters;
  facts["learning rate"] = options.learning_rate;
  facts["schedule"] = fmt::format("{}, {} steps of warm-up", options.scheduler, *options.warmup_steps);
  facts["weight decay"] = options.weight_decay;
  facts["pooling"] = std::string(name_of(options.pooling));
  facts["special brackets"] = options.brackets;
  facts["longest text"] = fmt::format("{} tokens", options.max_seq_length);
  facts["seed"] = options.seed;
  return facts;
}

// ---------------------------------------------------------------------------------------------------------- reading

/// Calls `use(json)` for each line. One in which `use` does not find what it looks for is passed over, with a warning
/// of the first: a power cut may have broken it.
template <class Use>
void read_lines(const fs::path& path, const Use& use) {
  std::ifstream in(path);
  std::int64_t number = 0;
  std::int64_t first_broken = 0;
  std::int64_t broken = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (in.eof()) break;  // no end of line: it is still being written
    try {
      use(nlohmann::json::parse(line));
    } catch (const nlohmann::json::exception&) {
      if (broken++ == 0) first_broken = number;
    }
  }
  if (in.bad()) throw MachineError(fmt::format("{}: reading failed", path.string()));
  if (broken > 0) {
    log::warning(fmt::format("{}:{}: the line is broken, and left out{}", path.string(), first_broken,
                             broken > 1 ? fmt::format(" like {} others", broken - 1) : ""));
  }
}

Json read_object(const fs::path& path) {
  std::ifstream in(path);
  const Json json = Json::parse(in, nullptr, false);
  if (!json.is_object()) {
    throw UserError(fmt::format("{}: no JSON object; expected what sgpt train writes there", path.string()));
  }
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
  make_run_folder(folder_.path);
  if (info.total_steps == 0) return;
  steps_ = StepLines(folder_.steps(), info.first_step);
  histograms_ = StepLines(folder_.histograms(), info.first_step);
  std::error_code none;
  if (info.first_step == 0) fs::remove(folder_.evaluation(), none);
  if (!info.options.wandb) fs::remove(folder_.wandb(), none);  // it would be of another run
  write_file(folder_.run(), dump(facts_of(info), 2) + "\n");
}

void RunHistory::on_step(const TrainStep& step) { steps_.write(step_line(step)); }

void RunHistory::on_histograms(std::int64_t step, std::span<const NamedHistogram> histograms) {
  for (const NamedHistogram& histogram : histograms) {
    const Histogram& values = histogram.values;
    const Json line{{"step", step},      {"name", histogram.name}, {"count", values.count}, {"min", values.min},
                    {"max", values.max}, {"sum", values.sum},      {"bins", values.bins}};
    histograms_.write(dump(line));
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

void RunHistory::on_evaluation(std::int64_t /*step*/, std::span<const NamedNumber> numbers) {
  write_file(folder_.evaluation(), evaluation_json(numbers));
}

std::string evaluation_json(std::span<const NamedNumber> numbers) {
  std::string json = "{";
  for (const NamedNumber& number : numbers) {
    json += fmt::format("{}\"{}\": {}", json.size() > 1 ? ", " : "", number.name, rounded(number.value));
  }
  return json + "}\n";
}

void make_run_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && !fs::is_directory(folder, error)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) {
    throw UserError(
        fmt::format("{}: cannot be made: {}; choose another folder with --log_dir", folder.string(), error.message()));
  }
}

RunRecord read_run(const fs::path& path) {
  const RunFolder folder{path};
  if (!files::is_regular(folder.run())) {
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
  if (files::exists(folder.evaluation())) {
    const Json evaluation = read_object(folder.evaluation());
    for (const auto& [name, value] : evaluation.items()) record.evaluation.emplace_back(name, text_of(value));
  }
  return record;
}

}  // namespace sgpt
