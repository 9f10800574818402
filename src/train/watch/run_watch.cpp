#include "train/watch/run_watch.h"

#include <exception>
#include <string_view>

#include <fmt/format.h>

#include "base/log.h"
#include "sgpt/error.h"
#include "train/step_log.h"
#include "train/watch/run_history.h"
#include "train/watch/tensorboard.h"
#include "train/watch/wandb.h"

namespace sgpt {

std::vector<NamedHistogram> measure_model(const Decoder& model, WatchLog what) {
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
  if (!options.log_file.empty()) observers_.push_back(std::make_unique<StepLog>(options.log_file));
  if (options.run_folder.empty()) return;
  observers_.push_back(std::make_unique<RunHistory>(options.run_folder));
  observers_.push_back(std::make_unique<TensorBoard>(options.run_folder));
}

/// An observer that fails is dropped: a full disk or a closed pipe is no reason to lose what was trained.
template <class Tell>
void RunWatch::tell_all(const Tell& tell) {
  std::erase_if(observers_, [&](const std::unique_ptr<TrainObserver>& observer) {
    try {
      tell(*observer);
      return false;
    } catch (const std::exception& error) {
      log::warning(fmt::format("{}; nothing more is recorded there, training goes on", error.what()));
      return true;
    }
  });
}

void RunWatch::start(const RunInfo& info) {
  std::exception_ptr refusal;
  tell_all([&](TrainObserver& observer) {
    try {
      if (!refusal) observer.on_start(info);
    } catch (const UserError&) {
      refusal = std::current_exception();
    }
  });
  if (refusal) std::rethrow_exception(refusal);
}

void RunWatch::step(const TrainStep& step, const Decoder& model) {
  tell_all([&](TrainObserver& observer) { observer.on_step(step); });
  if (options_.watch_log == WatchLog::none || observers_.empty() || step.step % kHistogramSteps != 0) return;
  const std::vector<NamedHistogram> histograms = measure_model(model, options_.watch_log);
  tell_all([&](TrainObserver& observer) { observer.on_histograms(step.step, histograms); });
}

void RunWatch::score(std::int64_t step, std::span<const NamedNumber> numbers) {
  tell_all([&](TrainObserver& observer) { observer.on_score(step, numbers); });
}

void RunWatch::end(const TrainResult& result) {
  steps_ = result.steps;
  tell_all([&](TrainObserver& observer) { observer.on_end(result); });
}

void RunWatch::evaluation(std::span<const NamedNumber> numbers) {
  tell_all([&](TrainObserver& observer) { observer.on_evaluation(steps_, numbers); });
}

}  // namespace sgpt
