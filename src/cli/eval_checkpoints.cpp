// Checkpoint after checkpoint, each an encoder of its own: loading one takes little beside embedding a corpus with it.
#include "cli/eval_checkpoints.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/ranks.h"
#include "sgpt/error.h"
#include "train/checkpoint_models.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<Metric, int>, 4> kShown{
    {{Metric::ndcg, 10}, {Metric::mrr, 10}, {Metric::map, 100}, {Metric::recall, 100}}};

double value_of(const DataSetResult& result, Metric metric, int cutoff) {
  const auto place = std::find(result.cutoffs.begin(), result.cutoffs.end(), cutoff);
  return result.values.at(metric, static_cast<std::size_t>(place - result.cutoffs.begin()));
}

/// Evaluations of one checkpoint; of several data sets the last one is their mean.
struct Evaluated {
  const RunCheckpoint& checkpoint;
  std::vector<DataSetResult> results;
  double ndcg() const { return value_of(results.back(), Metric::ndcg, 10); }
};

std::string epochs_of(const RunPosition& position) {
  if (position.step_in_epoch == 0) return fmt::format("{}", position.epoch);
  return fmt::format("{} + {} steps", position.epoch, position.step_in_epoch);
}

/// A row a checkpoint.
std::string table(const std::vector<Evaluated>& all, const Evaluated& best) {
  std::string text = fmt::format("{}\n{:>9}  {:16}", all.front().results.back().data_set, "step", "epochs");
  for (const auto& [metric, cutoff] : kShown)
    text += fmt::format("{:>12}", fmt::format("{}@{}", name_of(metric), cutoff));
  for (const Evaluated& one : all) {
    const RunPosition& position = one.checkpoint.position();
    text += fmt::format("\n{:9}  {:16}", position.step, epochs_of(position));
    for (const auto& [metric, cutoff] : kShown)
      text += fmt::format("{:12.5f}", value_of(one.results.back(), metric, cutoff));
    if (&one == &best) text += "  best";
  }
  return text;
}

/// Each rank reads the checkpoints by itself; it must be the same ones, while training may go on beside.
void require_same_steps(Communicator& ranks, const std::vector<RunCheckpoint>& checkpoints) {
  std::string steps;
  for (const RunCheckpoint& checkpoint : checkpoints) steps += fmt::format(" {}", checkpoint.step());
  const std::vector<std::string> all = ranks.all_gather(steps);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all.front()) continue;
    throw UserError(
        fmt::format("the ranks differ: rank 0 sees the checkpoints of steps{}, but rank {} those of{}; "
                    "let them see the same folder",
                    all.front(), rank, all[rank]));
  }
}

std::vector<DataSetResult> evaluate(Communicator& ranks, const EvalArguments& arguments,
                                    const std::vector<NamedDataSet>& data_sets, const fs::path& base,
                                    const RunCheckpoint& checkpoint) {
  const std::string name = model_name(checkpoint);
  const BeirOptions options{.split = arguments.split,
                            .run_file = with_name(arguments.run_file, checkpoint.folder().filename().string()),
                            .keep_same_ids = arguments.keep_same_ids,
                            .model_name = name,
                            .similarity = arguments.similarity.value_or(Similarity::cosine)};  // as of a trained model
  std::vector<DataSetResult> results;
  const Encoder encoder = load_encoder(base, encoder_options(checkpoint, arguments.encoder), ranks);
  with_team(encoder, ranks, [&](const EncoderTeam& team) {
    const auto evaluate_one = [&](const NamedDataSet& data_set, const BeirOptions& own) {
      return evaluate_data_set(team, data_set, own);
    };
    results = evaluate_and_keep(evaluate_one, arguments, data_sets, options);
  });
  return results;
}

}  // namespace

void evaluate_checkpoints(Communicator& ranks, const EvalArguments& arguments,
                          const std::vector<NamedDataSet>& data_sets) {
  if (!arguments.encoder.adapter.empty()) {
    throw UserError(
        fmt::format("--adapter {} and --checkpoints were given: the checkpoints are of models as they were "
                    "trained; leave one of the two out",
                    arguments.encoder.adapter.string()));
  }
  const std::vector<RunCheckpoint> checkpoints = checkpoints_of_run(arguments.checkpoints);
  require_same_steps(ranks, checkpoints);
  const fs::path base =
      model_folder(arguments.model.empty() ? checkpoints.front().base_model() : arguments.model, ranks);
  if (ranks.first()) check_base_model(checkpoints.front(), base);
  std::vector<Evaluated> all;
  for (const RunCheckpoint& checkpoint : checkpoints) {
    all.push_back({checkpoint, evaluate(ranks, arguments, data_sets, base, checkpoint)});
  }
  if (!ranks.first()) return;
  const Evaluated& best = *std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.ndcg() < b.ndcg();  // the earliest of equal ones
  });
  log::info(table(all, best));
  if (!arguments.save_best.empty()) {
    save_checkpoint_model(best.checkpoint, base, arguments.save_best);
    log::info(
        fmt::format("{} is now a model folder: {}", best.checkpoint.folder().string(), arguments.save_best.string()));
  }
  std::vector<DataSetResult> results;
  for (const Evaluated& one : all) std::copy(one.results.begin(), one.results.end(), std::back_inserter(results));
  give_results(arguments, results);
}

}  // namespace sgpt::cli
