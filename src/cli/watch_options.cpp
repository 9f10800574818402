#include "cli/watch_options.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace sgpt::cli {
namespace {

std::string shell_quoted(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:=,@%^";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string quoted = "'";
  for (const char letter : word) {
    if (letter == '\'') {
      quoted += "'\\''";
    } else {
      quoted += letter;
    }
  }
  return quoted + "'";
}

}  // namespace

void add_watch_options(CLI::App& command, TrainOptions& options) {
  const char* group = "Watching the run";
  command
      .add_option(names("--log_dir"), options.run_folder,
                  "Folder for the run's record: TensorBoard event files, and what sgpt report draws. What an earlier "
                  "run recorded there is replaced. By default MODEL_SAVE_PATH.run")
      ->type_name("DIR")
      ->group(group);
  command
      .add_flag(names("--wandb"), options.wandb,
                "Record the run in Weights & Biases too, through its Python client (pip install wandb; WANDB_PROJECT, "
                "WANDB_ENTITY, WANDB_MODE=offline and its like are the client's own)")
      ->group(group);
  command
      .add_option_function<std::string>(
          names("--wandbwatchlog"),
          [&options](const std::string& what) {
            static const std::map<std::string, WatchLog> logs{
                {"gradients", WatchLog::gradients}, {"parameters", WatchLog::parameters}, {"all", WatchLog::all}};
            options.watch_log = logs.at(what);
          },
          "Record the distributions of the trained parameters every 100 steps: of their gradients, of their values "
          "(parameters), or all. By default none")
      ->check(CLI::IsMember({"gradients", "parameters", "all"}))
      ->type_name("WHAT")
      ->group(group);
}

void finish_watch_options(TrainOptions& options) {
  if (options.run_folder.empty()) {
    const auto& output = options.output;
    options.run_folder = output.has_filename() ? output : output.parent_path();
    options.run_folder += ".run";
  }
  options.command = command_line();
}

std::string command_line() {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  const std::string words{std::istreambuf_iterator<char>(in), {}};
  std::string command = "sgpt";
  for (std::size_t begin = words.find('\0') + 1; begin != 0 && begin < words.size();) {
    const std::size_t end = std::min(words.find('\0', begin), words.size());
    command += " " + shell_quoted(std::string_view(words).substr(begin, end - begin));
    begin = end + 1;
  }
  const char* ranks = std::getenv("OMPI_COMM_WORLD_SIZE");
  if (ranks && std::string_view(ranks) != "1") command = fmt::format("mpirun -n {} {}", ranks, command);
  return command;
}

}  // namespace sgpt::cli
