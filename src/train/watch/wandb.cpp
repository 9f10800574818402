#include "train/watch/wandb.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/hub_path.h"
#include "base/log.h"
#include "sgpt/error.h"
#include "train/run_facts.h"
#include "train/watch/run_history.h"
#include "train/watch/scalars.h"

namespace sgpt {
namespace {

using Clock = HelperProcess::Clock;
using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kBetweenLooks{100};  // at whether the start is still wanted
constexpr int kInterrupted = 255;  // the exit status that the client itself gives to a run that was interrupted

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);  // paths may be in any encoding
}

/// "0.0004" and "true" as what they are, all else as text.
Json typed(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_number() || value.is_boolean() ? value : Json(text);
}

/// What the run's page shows and sorts by: the options under their names, and the sizes.
Json config_of(const RunInfo& info) {
  const TrainOptions& options = info.options;
  Json config;
  config["model_name"] = model_shown(options.model);
  config["model_save_path"] = options.output.string();
  if (options.train_data.empty()) {
    config["data_path"] = options.msmarco.folder.string();
  } else {
    config["train_data"] = options.train_data.string();
  }
  for (const auto& [name, value] : option_facts(options))
    config[name.substr(name.find_first_not_of('-'))] = typed(value);
  config["command"] = options.command;
  config["total_steps"] = info.total_steps;
  config["steps_per_epoch"] = info.steps_per_epoch;
  config["examples"] = info.examples;
  config["trained_parameters"] = info.trained_parameters;
  return config;
}

/// Equal bins between min and max; where all values are one, a bin around it.
Json bins_of(const Histogram& values) {
  if (!(values.min < values.max)) {
    return {{"counts", {values.count}}, {"edges", {values.min - 0.5, values.max + 0.5}}};
  }
  Json edges = Json::array();
  for (std::size_t i = 0; i <= Histogram::kBins; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(Histogram::kBins);
    edges.push_back(values.min + part * (values.max - values.min));
  }
  return {{"counts", values.bins}, {"edges", std::move(edges)}};
}

/// What the helper said, in words.
std::string words_of(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  const bool error = json.is_object() && json.contains("error") && json["error"].is_string();
  return error ? json["error"].get<std::string>() : line;
}

std::optional<std::string> kept_id(const std::filesystem::path& run_folder) {
  std::ifstream in(RunFolder{run_folder}.wandb());
  const Json json = Json::parse(in, nullptr, false);
  if (!json.is_object() || !json.contains("id") || !json["id"].is_string()) return std::nullopt;
  return json["id"].get<std::string>();
}

/// A run without an id (WANDB_MODE=disabled) cannot be continued, nor can an older one that is in its way.
void keep_id(const std::filesystem::path& run_folder, const Json& run) {
  make_run_folder(run_folder);
  write_file(RunFolder{run_folder}.wandb(), dump(run) + "\n");
}

}  // namespace

Wandb::Wandb(WandbOptions options) : options_(std::move(options)) {
  constexpr std::string_view kAdvice =
      "install Python and its package wandb (pip install wandb), or leave --wandb out: sgpt report and tensorboard "
      "show a run without it";
  try {
    helper_ = std::make_unique<HelperProcess>(options_.command);
  } catch (const UserError& error) {
    throw UserError(fmt::format("--wandb: {}; {}", error.what(), kAdvice));
  }
  answer_to({.key = "imported", .failure = "the client cannot be loaded", .advice = kAdvice});
}

Wandb::~Wandb() {
  try {
    finish();
  } catch (const std::exception& error) {
    log::warning(fmt::format("--wandb: {}", error.what()));
  }
}

void Wandb::on_start(const RunInfo& info) {
  if (!helper_) return;
  const auto id = info.first_step > 0 ? kept_id(options_.run_folder) : std::nullopt;
  Json init;
  init["name"] = files::without_slash(info.options.output).filename().string();
  init["id"] = id ? Json(*id) : Json();
  init["config"] = config_of(info);
  helper_->send(dump({{"init", std::move(init)}}));
  const auto run = answer_to(
      {.key = "ready",
       .failure = "the client cannot begin a run",
       .advice = "log in (wandb login), or record without a network (WANDB_MODE=offline), or leave --wandb out"});
  if (!run) return;
  started_ = true;
  if (!options_.run_folder.empty() && info.total_steps > 0) keep_id(options_.run_folder, Json::parse(*run));
}

/// The helper's next line. Nothing when none comes in time, or when it is no longer wanted: the helper is ended then.
std::optional<std::string> Wandb::first_words(Clock::time_point deadline) {
  for (;;) {
    if (options_.stop && options_.stop()) {
      helper_.reset();
      return std::nullopt;
    }
    auto line = helper_->receive(std::min(deadline, Clock::now() + kBetweenLooks));
    if (line || helper_->gone() || Clock::now() >= deadline) return line;
  }
}

/// What the helper says under the key; nothing when it is no longer wanted. Throws UserError when it says something
/// else, or nothing.
std::optional<std::string> Wandb::answer_to(const Question& question) {
  const auto line = first_words(Clock::now() + options_.start_patience);
  if (!helper_) return std::nullopt;
  const Json json = line ? Json::parse(*line, nullptr, false) : Json();
  if (json.is_object() && json.contains(question.key)) return dump(json[question.key]);
  const std::string reason =
      line ? words_of(*line)
           : fmt::format("{} {}", options_.command.front(), helper_->gone() ? "ended without an answer" : "is silent");
  helper_.reset();
  throw UserError(fmt::format("--wandb: {}: {}; {}", question.failure, reason, question.advice));
}

void Wandb::on_step(const TrainStep& step) {
  Json values;
  for (const Scalar& scalar : scalars_of(step)) values[std::string(scalar.tag)] = scalar.value;
  tell(dump({{"step", step.step}, {"values", std::move(values)}}));
}

void Wandb::on_histograms(std::int64_t step, std::span<const NamedHistogram> histograms) {
  Json bins;
  for (const NamedHistogram& histogram : histograms) bins[histogram.name] = bins_of(histogram.values);
  tell(dump({{"step", step}, {"histograms", std::move(bins)}}));
}

void Wandb::on_score(std::int64_t step, std::span<const NamedNumber> numbers) {
  Json values;
  for (const NamedNumber& number : numbers) values["dev/" + std::string(number.name)] = number.value;
  tell(dump({{"step", step}, {"values", std::move(values)}}));
}

void Wandb::on_evaluation(std::int64_t step, std::span<const NamedNumber> numbers) {
  on_score(step, numbers);
  exit_status_ = 0;  // also where nothing was trained
}

void Wandb::on_end(const TrainResult& result) { exit_status_ = result.finished ? 0 : kInterrupted; }

void Wandb::tell(const std::string& line) {
  if (!started_ || lost_) return;
  const bool taken = helper_->send(line);
  const auto said = helper_->receive(Clock::now());
  if (said || helper_->gone()) return lose(said.value_or(""));
  if (!taken && left_out_++ == 0) {
    log::warning(
        "--wandb: the client does not keep up with the training; what it cannot take in time is left out there, but "
        "not in the run's own record");
  }
}

/// During a run the helper speaks only when it has failed.
void Wandb::lose(const std::string& last_words) {
  lost_ = true;
  log::warning(fmt::format("--wandb: the client has failed{}; what it was not told is in the run's own record",
                           last_words.empty() ? "" : fmt::format(" ({})", words_of(last_words))));
}

void Wandb::finish() {
  if (!started_ || lost_) return;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options_.finish_patience).count();
  log::info(fmt::format("--wandb: waiting until the client has sent everything, at most {} s", seconds));
  const auto deadline = Clock::now() + options_.finish_patience;
  helper_->send(dump({{"finish", exit_status_}}));
  const bool in_time = helper_->finish(deadline);
  const auto last = helper_->receive(Clock::now());
  if (left_out_ > 0) log::warning(fmt::format("--wandb: {} lines of the record were left out there", left_out_));
  if (!in_time) {
    log::warning("--wandb: the client did not finish in time and was stopped; wandb sync sends what it still has");
  } else if (!last || !last->starts_with("{\"finished\"")) {
    lose(last.value_or(""));
  }
}

}  // namespace sgpt
