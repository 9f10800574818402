// sgpt score: the metrics alone, for anybody's run.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/atomic_file.h"
#include "base/json_string.h"
#include "base/log.h"
#include "base/output_target.h"
#include "cli/command.h"
#include "cli/given_paths.h"
#include "cli/output.h"
#include "retrieval/qrels.h"
#include "retrieval/results_file.h"
#include "retrieval/trec_run.h"
#include "sgpt/error.h"
#include "sgpt/metrics.h"

namespace sgpt::cli {
namespace {

struct ScoreArguments {
  std::string qrels;
  std::string run;
  std::string output;
  std::vector<int> cutoffs{kCutoffs.begin(), kCutoffs.end()};
};

/// {"mean": {…}, "queries": {ID: {…}}}, a line a query.
std::string scores_json(const Evaluation& evaluation) {
  MetricTable means = evaluation.means;
  for (const Metric metric : all_metrics()) {
    for (std::size_t c = 0; c < evaluation.cutoffs.size(); ++c) means.at(metric, c) = rounded(means.at(metric, c));
  }
  std::string json = fmt::format("{{\n\"mean\": {},\n\"queries\": {{", metrics_json(means, evaluation.cutoffs));
  const char* separator = "\n";
  for (const auto& [query, values] : evaluation.queries) {
    json += fmt::format("{}{}: {}", separator, json_quoted(query), metrics_json(values, evaluation.cutoffs));
    separator = ",\n";
  }
  return json + "\n}\n}\n";
}

/// What makes every score 0, and is hardly meant.
void warn_of_zeros(const ScoreArguments& arguments, const Qrels& qrels, const Run& run) {
  bool relevant = false;
  bool judged = false;
  for (const auto& [query, judgements] : qrels) {
    for (const auto& [document, relevance] : judgements) relevant = relevant || relevance > 0;
    const auto hits = run.find(query);
    if (hits == run.end()) continue;
    for (const ScoredDocument& hit : hits->second) judged = judged || judgements.contains(hit.id);
  }
  if (!relevant) {
    log::warning(fmt::format("{}: no judgement is above 0, so that nothing is relevant", arguments.qrels));
  } else if (!judged) {
    log::warning(
        fmt::format("{}: none of its documents is judged for its query in {}; are the ids written differently?",
                    arguments.run, arguments.qrels));
  }
}

void run_score(const ScoreArguments& arguments) {
  GivenPaths()
      .reads("--qrels", arguments.qrels)
      .reads("--run", arguments.run)
      .writes("--output", arguments.output.empty() ? "-" : arguments.output)
      .check();
  if (!arguments.output.empty()) require_writable(arguments.output);
  const Qrels qrels = read_qrels(arguments.qrels);
  const Run run = read_trec_run(arguments.run);
  const Evaluation evaluation = evaluate(qrels, run, arguments.cutoffs);
  if (evaluation.queries.empty()) {
    throw UserError(fmt::format("{}: none of its {} queries is judged in {}; do they belong together?", arguments.run,
                                run.size(), arguments.qrels));
  }
  warn_of_zeros(arguments, qrels, run);
  log::info(fmt::format("{} queries are judged, {} were run, {} are both", qrels.size(), run.size(),
                        evaluation.queries.size()));
  log::info("mean\n" + metrics_table(evaluation.means, evaluation.cutoffs));
  write_file(arguments.output.empty() ? "-" : arguments.output, scores_json(evaluation));
}

}  // namespace

void add_score(CLI::App& app) {
  auto* command = app.add_subcommand("score", "Compute NDCG, MAP, recall and others for a run file, as trec_eval does");
  auto arguments = std::make_shared<ScoreArguments>();
  command
      ->add_option(names("--qrels"), arguments->qrels,
                   "Judgements: BEIR's query-id TAB document-id TAB integer, or TREC's query-id 0 document-id integer")
      ->required()
      ->type_name("FILE");
  command->add_option(names("--run"), arguments->run, "Hits: query-id Q0 document-id rank score tag")
      ->required()
      ->type_name("FILE");
  command
      ->add_option(names("--output"), arguments->output,
                   "Write the scores (JSON: means and each query) here. By default they are printed")
      ->type_name("FILE");
  command->add_option(names("-k,--k_values"), arguments->cutoffs, "Cut-offs, ascending and separated by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("K,…")
      ->capture_default_str();
  command->callback([arguments] { run_score(*arguments); });
}

}  // namespace sgpt::cli
