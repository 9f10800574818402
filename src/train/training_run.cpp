#include "train/training_run.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "sgpt/error.h"
#include "train/exchange.h"

namespace sgpt {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TrainResult TrainingRun::finish() {
  if (options_.resume) resume();
  parts_.watch.start({.options = options_,
                      .first_step = result_.resumed_at,
                      .total_steps = total_steps_,
                      .steps_per_epoch = parts_.steps_per_epoch,
                      .examples = parts_.data.size(),
                      .trained_parameters = parts_.trainer.trained_size()});
  bool stop = asked_to_stop();
  for (std::int64_t number = result_.resumed_at; number < total_steps_ && !stop; ++number) {
    const TrainStep report = step(number);
    if (parts_.ranks.first() && options_.on_step) options_.on_step(report);
    stop = asked_to_stop();
    const bool save = stop || checkpoint_is_due(number + 1);
    const bool scored = dev_is_due(number + 1);
    const bool good = !(save || scored) || parts_.trainer.values_are_finite();
    if (scored && good) score(number + 1);          // what a checkpoint remembers, too
    if (save && good) save_checkpoint(number + 1);  // before any observer is told, who may take his time, or fail
    parts_.watch.step(report, parts_.model);
    if (!good) {
      throw UserError(
          fmt::format("training went astray in step {}: its update made what is trained infinite or no number, so it "
                      "is not saved; use a lower --lr or a longer --warmup_steps",
                      number));
    }
  }
  result_.finished = result_.steps == total_steps_;
  result_.examples = parts_.data.size();
  result_.trained_parameters = parts_.trainer.trained_size();
  result_.saved_step = parts_.dev && parts_.ranks.first() ? parts_.dev->selection->best_step() : result_.steps;
  parts_.ranks.broadcast(std::as_writable_bytes(std::span(&result_.saved_step, 1)));
  parts_.watch.end(result_);
  return result_;
}

/// Whether any rank was: a signal may reach only one of them.
bool TrainingRun::asked_to_stop() const {
  const bool asked = options_.stop && options_.stop();
  if (parts_.ranks.alone()) return asked;
  const std::vector<std::int64_t> all = parts_.ranks.all_gather(std::int64_t{asked});
  return std::find(all.begin(), all.end(), 1) != all.end();
}

/// Rank 0 reads the checkpoint; the others may be on machines that do not see it.
void TrainingRun::resume() {
  std::int64_t step = parts_.ranks.first() ? restore_newest() : 0;
  parts_.ranks.broadcast(std::as_writable_bytes(std::span(&step, 1)));
  if (step == 0) return;
  Backend& backend = parts_.model.backend();
  const TrainerState& state = parts_.trainer.state();
  for (const Matrix row : {parts_.model.trained_values(), state.first_moment, state.second_moment}) {
    broadcast(parts_.ranks, backend, row);
  }
  parts_.trainer.resume(step);
  result_.steps = result_.resumed_at = step;
}

/// The step of the checkpoint that was restored; 0 when there is none.
std::int64_t TrainingRun::restore_newest() {
  const std::optional<RunCheckpoint> checkpoint = std::exchange(parts_.newest, std::nullopt);
  if (!checkpoint) {
    log::info(
        fmt::format("no checkpoint in {}: training begins at the beginning", parts_.checkpoints.folder().string()));
    return 0;
  }
  if (const auto difference =
          first_difference(checkpoint->facts(), parts_.facts, {.there = "in the checkpoint", .here = "now"})) {
    throw UserError(fmt::format("{} is of another run: {}", checkpoint->folder().string(), *difference));
  }
  checkpoint->restore(parts_.model, parts_.trainer, parts_.dev ? parts_.dev->selection : nullptr);
  log::info(fmt::format("resumed from {}: {} of {} steps are done", checkpoint->folder().string(), checkpoint->step(),
                        total_steps_));
  return checkpoint->step();
}

std::vector<TrainingBatch> TrainingRun::batches_of(std::int64_t step) {
  std::vector<TrainingBatch> batches;
  for (std::int64_t i = 0; i < options_.gradient_accumulation; ++i) {
    const BatchSource::Batch next = parts_.order.batch(step * options_.gradient_accumulation + i);
    batches.push_back(parts_.data.batch(next.examples, next.visit));
  }
  return batches;
}

TrainStep TrainingRun::step(std::int64_t number) {
  const std::vector<TrainingBatch> batches = batches_of(number);
  const auto start = std::chrono::steady_clock::now();
  const StepResult done = parts_.trainer.step(batches);
  const double seconds = seconds_since(start);
  if (parts_.ranks.first() && number == result_.resumed_at && options_.grad_cache) {
    const GradCache::Result& pass = done.pass;
    log::info(fmt::format(
        "GradCache: chunks of a batch: {}, of which are kept in memory: {}, computed again from their layers' inputs: "
        "{}, computed twice: {}",
        pass.chunks, pass.chunks - pass.from_inputs - pass.twice, pass.from_inputs, pass.twice));
  }
  result_.steps = number + 1;
  result_.tokens += done.tokens;
  result_.seconds += seconds;
  result_.last_loss = done.loss;
  return {.step = number,
          .total_steps = total_steps_,
          .loss = done.loss,
          .gradient_norm = done.gradient_norm,
          .learning_rate = done.learning_rate,
          .tokens = done.tokens,
          .tokens_per_second = static_cast<double>(done.tokens) / std::max(seconds, 1e-9)};
}

bool TrainingRun::dev_is_due(std::int64_t steps) const {
  if (!parts_.dev) return false;
  const std::int64_t every = parts_.dev->every;
  return steps % parts_.steps_per_epoch == 0 || (every > 0 && steps % every == 0);
}

/// As the reference: of a step that ends an interval and an epoch there are two rows.
void TrainingRun::score(std::int64_t steps) {
  const StsResult result = parts_.dev->pairs.evaluate(parts_.model, parts_.ranks);
  if (!parts_.ranks.first()) return;
  const std::int64_t every = parts_.dev->every;
  const std::int64_t epoch = (steps - 1) / parts_.steps_per_epoch;
  DevSelection& selection = *parts_.dev->selection;
  const auto add = [&](std::int64_t written) {
    return selection.add(steps, {.epoch = epoch, .steps = written, .result = result});
  };
  bool best = every > 0 && steps % every == 0 && add(steps);
  if (steps % parts_.steps_per_epoch == 0) best |= add(-1);
  log::info(fmt::format(
      "sts-dev after {} steps: Spearman {:.4f} (cosine {:.4f}){}", steps, result.main_score(), result.cosine.spearman,
      best ? ", the best so far"
           : fmt::format("; the best, {:.4f}, was after {}", selection.best_score(), selection.best_step())));
  const auto named = result.named();
  std::vector<NamedNumber> numbers;
  for (const auto& [name, value] : named) numbers.push_back({name, value});
  parts_.watch.score(steps, numbers);
}

bool TrainingRun::checkpoint_is_due(std::int64_t steps) const {
  const std::int64_t every = options_.checkpoint_save_steps;
  return steps % parts_.steps_per_epoch == 0 || (every > 0 && steps % every == 0);
}

void TrainingRun::save_checkpoint(std::int64_t steps) {
  if (!options_.checkpoints || !parts_.ranks.first()) return;
  const RunPosition position{.step = steps,
                             .total_steps = total_steps_,
                             .epoch = steps / parts_.steps_per_epoch,
                             .step_in_epoch = steps % parts_.steps_per_epoch,
                             .pass = steps * options_.gradient_accumulation / parts_.order.batches(),
                             .batches = parts_.order.batches(),
                             .seed = options_.seed};
  parts_.checkpoints.save(position, parts_.facts, parts_.model, parts_.trainer,
                          parts_.dev ? parts_.dev->selection : nullptr);
}

}  // namespace sgpt
