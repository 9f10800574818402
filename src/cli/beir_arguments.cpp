#include "cli/beir_arguments.h"

#include <filesystem>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/filesystem.h"
#include "base/log.h"
#include "base/nearest_name.h"
#include "base/output_target.h"
#include "cli/command.h"
#include "cli/output.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

/// What a failure leaves behind of several evaluations.
void say_what_is_done(const BeirArguments& arguments, const std::vector<NamedDataSet>& data_sets, std::size_t done) {
  std::vector<std::string> missing;
  for (std::size_t i = done; i < data_sets.size(); ++i) missing.push_back(data_sets[i].name);
  log::warning(fmt::format("{} of {} data sets are evaluated{}; missing: {}, and the mean", done, data_sets.size(),
                           arguments.output.empty() ? "" : fmt::format(", their results are in {}", arguments.output),
                           listed(missing)));
}

}  // namespace

CLI::Option* add_beir_options(CLI::App& command, BeirArguments& arguments) {
  CLI::Option* data_path =
      command
          .add_option(names("--data_path"), arguments.data_path,
                      "Folder with corpus.jsonl, queries.jsonl and qrels/; or a folder of such folders, see --dataset; "
                      "or cqadupstack's folder with its twelve forums, whose mean is reported too")
          ->required()
          ->type_name("DIR");
  command
      .add_option(names("--dataset"), arguments.data_set,
                  "Name in the results (by default the folder's), and the sub-folder of --data_path to use where that "
                  "folder itself is no data set")
      ->type_name("NAME");
  command
      .add_option(names("--split"), arguments.split, "Which qrels/SPLIT.tsv to take. By default test, for msmarco dev")
      ->type_name("NAME");
  command
      .add_option(names("--output"), arguments.output,
                  "Results file (JSON) to write or to merge into. By default, and for -, results are printed")
      ->type_name("FILE");
  command
      .add_option(
          names("--run_file"), arguments.run_file,
          "Write the 1000 best hits of each query here, as trec_eval reads them (for cqadupstack a file a forum)")
      ->type_name("FILE");
  command.add_flag(names("--keep_same_ids"), arguments.keep_same_ids,
                   "Count a document that has its query's id. By default it is left out, as BEIR does (which calls it "
                   "ignore_identical_ids)");
  return data_path;
}

void check_beir(const BeirArguments& arguments, const std::vector<NamedDataSet>& data_sets, bool several) {
  for (const NamedDataSet& data_set : data_sets) {
    check_data_set(
        data_set,
        {.split = arguments.split, .run_file = !arguments.run_file.empty(), .keep_same_ids = arguments.keep_same_ids});
  }
  if (!arguments.run_file.empty()) {
    if (several && files::is_stream(arguments.run_file)) {
      throw UserError(fmt::format("--run_file {}: {} have a run file each, which one stream cannot take; name a file",
                                  arguments.run_file,
                                  data_sets.size() > 1 ? "several data sets" : "several checkpoints"));
    }
    if (!several) require_writable(arguments.run_file);
  }
  if (!arguments.output.empty()) check_results_file(arguments.output);
}

void add_beir_paths(GivenPaths& paths, const BeirArguments& arguments, const std::vector<NamedDataSet>& data_sets) {
  for (const NamedDataSet& data_set : data_sets) {
    paths.reads("--data_path", data_set.folder.corpus()).reads("--data_path", data_set.folder.queries());
    const fs::path qrels = data_set.folder.path / "qrels";
    if (!files::is_folder(qrels)) continue;
    for (const fs::path& file : files::entries(qrels)) paths.reads("--data_path", file);
  }
  paths.writes("--output", arguments.output.empty() ? "-" : arguments.output);
  if (data_sets.size() == 1) paths.writes("--run_file", arguments.run_file);
  for (const NamedDataSet& data_set : data_sets) {
    if (data_sets.size() > 1) paths.writes("--run_file", with_name(arguments.run_file, data_set.name));
  }
}

std::vector<DataSetResult> evaluate_and_keep(const EvaluateDataSet& evaluate, const BeirArguments& arguments,
                                             const std::vector<NamedDataSet>& data_sets, const BeirOptions& options) {
  std::size_t done = 0;
  const auto keep = [&](const DataSetResult& result) {
    log::info(fmt::format("{} on {}\n{}", result.model, result.data_set, metrics_table(result.values, result.cutoffs)));
    if (!arguments.output.empty()) merge_into_results_file(arguments.output, {&result, 1});
    ++done;
  };
  try {
    return evaluate_data_sets(evaluate, data_sets, options, keep);
  } catch (...) {
    if (done > 0 && done < data_sets.size()) say_what_is_done(arguments, data_sets, done);
    throw;
  }
}

void give_results(const BeirArguments& arguments, const std::vector<DataSetResult>& results) {
  if (arguments.output.empty()) {
    print_result(results_json(results) + "\n");
  } else if (is_results_file(arguments.output)) {
    log::info(fmt::format("results are in {}", arguments.output));
  }
}

}  // namespace sgpt::cli
