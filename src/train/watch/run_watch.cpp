#include "train/watch/run_watch.h"

#include <string_view>

#include <fmt/format.h>

#include "train/watch/run_history.h"
#include "train/watch/tensorboard.h"
#include "train/watch/wandb.h"

namespace sgpt {

std::vector<NamedHistogram> measure_model(const Bloom& model, WatchLog what) {
  std::vector<NamedHistogram> histograms;
  std::vector<float> values;
  const auto add = [&](std::string_view kind, const Parameter& parameter, Matrix matrix) {
    values.resize(static_cast<std::size_t>(matrix.size()));
    model.backend().download(matrix, {values.data(), parameter.info.rows, parameter.info.cols});
    histograms.push_back({fmt::format("{}/{}", kind, parameter.info.name), make_histogram(values)});
  };
  for (const Parameter& parameter : model.parameters()) {
    if (!parameter.trained()) continue;
    if (what == WatchLog::gradients || what == WatchLog::all) add("gradients", parameter, parameter.gradient);
    if (what == WatchLog::parameters || what == WatchLog::all) add("parameters", parameter, parameter.value);
  }
  return histograms;
}

RunWatch::RunWatch(const TrainOptions& options, bool first_rank) : options_(options) {
  if (!first_rank) return;
  // The one that may refuse the run is asked first: a refusal leaves nothing behind.
  if (options.wandb) {
    observers_.push_back(std::make_unique<Wandb>(WandbOptions{.run_folder = options.run_folder, .stop = options.stop}));
  }
  if (options.run_folder.empty()) return;
  observers_.push_back(std::make_unique<RunHistory>(options.run_folder));
  observers_.push_back(std::make_unique<TensorBoard>(options.run_folder));
}

void RunWatch::start(const RunInfo& info) {
  for (const auto& observer : observers_) observer->on_start(info);
}

void RunWatch::step(const TrainStep& step, const Bloom& model) {
  for (const auto& observer : observers_) observer->on_step(step);
  if (options_.watch_log == WatchLog::none || observers_.empty() || step.step % kHistogramSteps != 0) return;
  const std::vector<NamedHistogram> histograms = measure_model(model, options_.watch_log);
  for (const auto& observer : observers_) observer->on_histograms(step.step, histograms);
}

void RunWatch::end(const TrainResult& result) {
  steps_ = result.steps;
  for (const auto& observer : observers_) observer->on_end(result);
}

void RunWatch::evaluation(std::span<const NamedNumber> numbers) {
  for (const auto& observer : observers_) observer->on_evaluation(steps_, numbers);
}

}  // namespace sgpt
