// sgpt report: a training run as one page of HTML.
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/given_paths.h"
#include "train/watch/report.h"
#include "train/watch/run_history.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

struct ReportArguments {
  fs::path folder;
  fs::path output;
};

/// "runs/bees.run/" is the run of "bees".
std::string name_of_run(const fs::path& folder) {
  const fs::path last = fs::weakly_canonical(folder).filename();
  return last.extension() == ".run" ? last.stem().string() : last.string();
}

void run_report(const ReportArguments& arguments) {
  const RunFolder folder{arguments.folder};
  GivenPaths paths;
  for (const fs::path& file :
       {folder.run(), folder.steps(), folder.histograms(), folder.evaluation(), folder.wandb()}) {
    paths.reads("RUN_FOLDER", file);
  }
  paths.writes("--output", arguments.output).check();
  const RunRecord record = read_run(arguments.folder);
  const fs::path output = arguments.output.empty() ? arguments.folder / "report.html" : arguments.output;
  write_file(output, report_page(record, name_of_run(arguments.folder)));
  if (!files::is_stream(output)) log::info(fmt::format("the report is in {}: open it in a browser", output.string()));
}

}  // namespace

void add_report(CLI::App& app) {
  auto* command = app.add_subcommand(
      "report", "Draw a training run as one page of HTML: loss, gradient norm, learning rate, speed, distributions");
  auto arguments = std::make_shared<ReportArguments>();
  command->add_option("RUN_FOLDER", arguments->folder, "The run's folder: MODEL_SAVE_PATH.run, or what --log_dir said")
      ->required()
      ->type_name("");
  command
      ->add_option(names("--output"), arguments->output,
                   "HTML file to write, - for stdout; it needs no other file. By default RUN_FOLDER/report.html")
      ->type_name("FILE");
  command->callback([arguments] { run_report(*arguments); });
}

}  // namespace sgpt::cli
