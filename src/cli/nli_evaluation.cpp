#include "cli/nli_evaluation.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/filesystem.h"
#include "base/log.h"
#include "cli/output.h"
#include "retrieval/sts_evaluation.h"
#include "sgpt/encoder.h"
#include "sgpt/error.h"
#include "train/nli/nli_recipe.h"
#include "train/watch/run_history.h"

namespace sgpt::cli {
namespace {

/// Numbers with names of their own: {"sts-test_cosine_pearson", …}.
class Scores {
 public:
  void add(const std::string& part, const StsResult& result) {
    log::info(fmt::format("sts-{}: Spearman {:.5f}, Pearson {:.5f} of cosines; the largest Spearman {:.5f}", part,
                          result.cosine.spearman, result.cosine.pearson, result.main_score()));
    for (const auto& [name, value] : result.named()) values_.emplace_back(fmt::format("sts-{}_{}", part, name), value);
  }

  void give(RunWatch& watch) const {
    std::vector<NamedNumber> numbers;
    for (const auto& [name, value] : values_) numbers.push_back({name, value});
    watch.evaluation(numbers);
    print_result(evaluation_json(numbers));
  }

 private:
  std::vector<std::pair<std::string, double>> values_;
};

StsResult score(const Encoder& encoder, const TrainOptions& options, const std::string& part) {
  const EncoderTeam team(encoder);
  const StsResult result = evaluate_sts(team, read_sts(options.nli->sts, part));
  team.tell_cut_texts();
  return result;
}

}  // namespace

void check_sts_parts(const TrainOptions& options) {
  if (options.nli->sts.empty()) return;
  for (const char* part : {"dev", "test"}) read_sts(options.nli->sts, part);
}

void run_sts_test(const TrainOptions& options, const DevArguments& arguments, RunWatch& watch) {
  const std::filesystem::path csv = options.output / kStsTestCsv;
  if (options.nli->sts.empty() || files::exists(csv)) return;
  const Encoder encoder = load_trained(options, arguments);
  const StsResult result = score(encoder, options, "test");
  append_sts_row(csv, {.result = result});
  Scores scores;
  scores.add("test", result);
  scores.give(watch);
}

void run_sts_alone(const TrainOptions& options, const DevArguments& arguments, RunWatch& watch,
                   const std::function<void()>& on_start) {
  if (options.nli->sts.empty()) throw UserError("nothing to do with --no_training: --sts is none");
  watch.start({.options = options});
  on_start();
  const Encoder encoder = Encoder::load(options.model, evaluation_options(options, arguments));
  Scores scores;
  for (const char* part : {"dev", "test"}) scores.add(part, score(encoder, options, part));
  scores.give(watch);
}

}  // namespace sgpt::cli
