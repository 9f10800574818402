// sgpt rerank: the first documents of a run, ranked anew by a language model that reads them with the query.
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/output_target.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/given_paths.h"
#include "cli/model_option.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/rerank_options.h"
#include "encode/compute_choice.h"
#include "retrieval/rerank_run.h"
#include "retrieval/results_file.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

struct RerankArguments {
  fs::path model;
  std::string data_path;
  std::string data_set;
  std::string text_template;
  std::string output;
  RerankJob job;
  RerankerOptions reranker;
};

NamedDataSet one_data_set(const RerankArguments& arguments) {
  const std::vector<NamedDataSet> found = find_data_sets(arguments.data_path, arguments.data_set);
  if (found.size() == 1) return found.front();
  throw UserError(fmt::format("--data_path {}: there are {} data sets, but a run is of one; name its folder",
                              arguments.data_path, found.size()));
}

void check_paths(const RerankArguments& arguments, const fs::path& model) {
  const RerankJob& job = arguments.job;
  const DataSetFolder& folder = job.data_set.folder;
  GivenPaths()
      .reads_model("--model", model)
      .reads_model("--adapter", arguments.reranker.adapter)
      .reads("--run", job.first_stage)
      .reads("--data_path", folder.corpus())
      .reads("--data_path", folder.queries())
      .reads("--data_path", folder.qrels(job.data_set.split(job.split)))
      .reads("--template", template_file(arguments.text_template))
      .writes_resumable("--run_file", job.run_file, ".progress")
      .writes("--output", arguments.output.empty() ? "-" : arguments.output)
      .check();
}

void give_result(const RerankArguments& arguments, const DataSetResult& result, std::size_t pairs) {
  log::info(fmt::format("{} on {}: {} pairs of query and document\n{}", result.model, result.data_set, pairs,
                        metrics_table(result.values, result.cutoffs)));
  if (arguments.output.empty()) {
    print_result(results_json({&result, 1}) + "\n");
  } else {
    merge_into_results_file(arguments.output, {&result, 1});
    if (is_results_file(arguments.output)) log::info(fmt::format("results are in {}", arguments.output));
  }
}

/// What belongs to the other kind of score is not left unused.
void require_template_alone(const RerankArguments& arguments, bool yes_no) {
  if (yes_no && !arguments.text_template.empty()) {
    throw UserError(
        fmt::format("--template {}: the score is of Qwen3-Reranker's question, which has no template; leave it "
                    "out, or use --score query",
                    arguments.text_template));
  }
  if (!yes_no && arguments.reranker.instruction != kRerankInstruction) {
    throw UserError(
        "--instruction: the score is the query's probability, which knows no instruction; leave it out, or "
        "use --score yes_no");
  }
}

void run_rerank(Communicator& ranks, RerankArguments& arguments) {
  RerankJob& job = arguments.job;
  RerankerOptions& options = arguments.reranker;
  if (!arguments.text_template.empty()) options.text_template = read_template(arguments.text_template);
  if (ranks.first()) job.data_set = one_data_set(arguments);
  const fs::path model = model_folder(arguments.model, options.adapter, ranks);
  std::optional<RerankInput> input;  // rank 0's: a broken file is told before the model is loaded
  if (ranks.first()) {
    check_paths(arguments, model);
    require_writable(job.run_file);
    if (!arguments.output.empty()) check_results_file(arguments.output);
    input.emplace(job);
  }
  if (options.threads == 0) options.threads = default_threads(ranks);
  if (!ranks.alone() && options.compute == ComputeType::automatic) {
    options.compute = common_compute_type(
        model, {.threads = options.threads, .backend = options.backend, .compute = options.compute}, ranks);
  }
  const Reranker reranker = Reranker::load(model, options);
  require_template_alone(arguments, *reranker.options().yes_no);
  with_team(reranker, ranks,
            [&](const RerankerTeam& team) { give_result(arguments, rerank_run(team, job, *input), input->pairs()); });
}

}  // namespace

void add_rerank(CLI::App& app) {
  auto* command =
      app.add_subcommand("rerank",
                         "Rank the first documents of a run anew by how probable a language model finds "
                         "the query after each (a cross-encoder), and evaluate that; under mpirun all processes "
                         "share the work");
  auto arguments = std::make_shared<RerankArguments>();
  RerankJob& job = arguments->job;
  add_model_option(*command, "--model", arguments->model, "The language model");
  command->add_option(names("--run"), job.first_stage, "The run to rank anew: query-id Q0 document-id rank score tag")
      ->required()
      ->type_name("FILE");
  command
      ->add_option(names("--data_path"), arguments->data_path,
                   "Folder with corpus.jsonl, queries.jsonl and qrels/; or a folder of such folders, see --dataset")
      ->required()
      ->type_name("DIR");
  command
      ->add_option(names("--dataset"), arguments->data_set,
                   "Name in the results (by default the folder's), and the sub-folder of --data_path to use where that "
                   "folder itself is no data set")
      ->type_name("NAME");
  command->add_option(names("--split"), job.split, "Which qrels/SPLIT.tsv to take. By default test, for msmarco dev")
      ->type_name("NAME");
  command->add_option(names("-k,--top_k"), job.top_k, "Documents of a query to rank, the best of the run")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option(names("--run_file"), job.run_file,
                   "Where the new run goes. One that was stopped continues when the same command is given again")
      ->required()
      ->type_name("FILE");
  command
      ->add_option(names("--output"), arguments->output,
                   "Results file (JSON) to write or to merge into. By default, and for -, results are printed")
      ->type_name("FILE");
  command->add_flag(names("--keep_same_ids"), job.keep_same_ids,
                    "Rank a document that has its query's id. By default it is left out, as BEIR does");
  add_reranker_options(*command, arguments->text_template, arguments->reranker);
  command->callback([arguments] { with_ranks([&](Communicator& ranks) { run_rerank(ranks, *arguments); }); });
}

}  // namespace sgpt::cli
