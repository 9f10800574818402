#include "train/run_checks.h"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string>

#include <fmt/format.h>

#include "base/log.h"
#include "sgpt/error.h"
#include "train/schedule.h"

namespace sgpt {
namespace {

constexpr std::int64_t kMostWarmup = 1000;              // the reference's, made for runs of 100,000 steps
constexpr std::int64_t kExamplesLookedThrough = 10000;  // for texts that stand twice: each may have to be read

/// Batches of the first pass that hold a query alone, without negatives: loss and gradient are 0.
std::int64_t batches_of_one(const TrainingSet& data, BatchOrder& order) {
  if (data.negatives_per_query() > 0) return 0;
  std::int64_t count = 0;
  for (std::int64_t step = 0; step < order.batches(); ++step) {
    if (order.of_all_ranks(step).size() == 1) ++count;
  }
  return count;
}

void warn_of_wrong_negatives(BatchOrder& order) {
  std::int64_t wrong = 0;
  std::int64_t examples = 0;
  for (std::int64_t step = 0; step < order.batches() && examples < kExamplesLookedThrough; ++step) {
    wrong += order.with_wrong_negatives(step);
    examples += std::ssize(order.of_all_ranks(step));
  }
  if (wrong == 0) return;
  log::warning(
      fmt::format("of the first {} examples {} have their query or positive twice in their batch, so that what answers "
                  "a query is taken for a negative: --no_duplicates keeps such examples apart",
                  examples, wrong));
}

}  // namespace

void settle_warmup(TrainOptions& options, std::int64_t total_steps, const RunFacts& recorded, Communicator& ranks) {
  const bool has_warmup = schedule_from(options.scheduler) != Schedule::constant;
  const std::string* known = find_fact(recorded, "--warmup_steps");
  const std::int64_t usual = options.nli ? (total_steps + 9) / 10 : std::min(kMostWarmup, total_steps / 10);
  std::int64_t steps = known ? std::strtoll(known->c_str(), nullptr, 10) : usual;
  ranks.broadcast(std::as_writable_bytes(std::span(&steps, 1)));
  if (!options.warmup_steps) {
    options.warmup_steps = steps;
    if (ranks.first() && has_warmup && steps != kMostWarmup) {
      log::info(fmt::format("warm-up: {} of {} steps, as --warmup_steps does not say otherwise", steps, total_steps));
    }
  }
  if (ranks.first() && has_warmup && *options.warmup_steps >= total_steps) {
    log::warning(
        fmt::format("the warm-up is longer than the run: --warmup_steps is {}, the steps are {} in all, so that the "
                    "learning rate does not get beyond {:.3g} times --lr",
                    *options.warmup_steps, total_steps,
                    static_cast<double>(total_steps - 1) / static_cast<double>(*options.warmup_steps)));
  }
}

void check_batches(const TrainOptions& options, const TrainingSet& data, BatchOrder& order, const Communicator& ranks) {
  const std::int64_t at_once = options.batch_size * ranks.size();
  const std::int64_t alone = batches_of_one(data, order);
  if (alone == order.batches()) {
    throw UserError(fmt::format(
        "{}: every batch has one query and no negatives, so that there is nothing to tell its positive from: loss and "
        "gradient would be 0; {}",
        options.train_data.string(),
        data.size() == 1 ? "add examples or negatives" : "use a larger --train_batch_size, or data with negatives"));
  }
  if (!ranks.first()) return;
  if (alone > 0) {
    log::warning(
        fmt::format("{} of {} batches of a pass over the data have one query and no negatives, and teach nothing: "
                    "another --train_batch_size avoids it",
                    alone, order.batches()));
  }
  if (at_once > data.size()) {
    log::warning(fmt::format("--train_batch_size is {}{}, but there are {} examples: every batch has just these",
                             options.batch_size,
                             ranks.alone() ? "" : fmt::format(" in each of {} processes", ranks.size()), data.size()));
  }
  if (!options.no_duplicates) return warn_of_wrong_negatives(order);
  if (const std::int64_t left = order.left_over(0)) {
    log::warning(fmt::format(
        "--no_duplicates: {} of {} examples share their texts with so many others that the first pass over the data "
        "has no place for them",
        left, data.size()));
  }
}

}  // namespace sgpt
