#include "cli/nli_options.h"

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/byte_source.h"
#include "base/filesystem.h"
#include "cli/command.h"
#include "sgpt/error.h"
#include "sgpt/trainer.h"

namespace sgpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMost = std::int64_t{1} << 30;
constexpr std::string_view kNoPairs = "none";

/// The first of these folders that has the file, packed or not. Throws UserError when none has.
fs::path find_in(const std::vector<fs::path>& folders, const std::string& name, const std::string& option) {
  std::vector<std::string> looked_at;
  for (const fs::path& folder : folders) {
    const fs::path file = packed_or_plain(folder / name);
    if (files::exists(file)) return file;
    looked_at.push_back((folder / name).string());
  }
  throw UserError(fmt::format("{}: found neither of {}: name the file, or fetch it from https://sbert.net/datasets/{}",
                              option, fmt::join(looked_at, ", "), name));
}

/// Where the reference's script puts its files, and where its later versions do.
std::vector<fs::path> usual_folders() { return {"data", "datasets"}; }

}  // namespace

void add_nli_options(CLI::App& command, TrainOptions& options) {
  const char* group = "NLI, for sentences of one kind (in place of --train_data)";
  CLI::Option* nli = command.add_option_function<std::string>(
      names("--nli"),
      [&options](const std::string& file) {
        options.nli.emplace();
        if (file != "true") options.nli->file = file;  // CLI11's word for an option without its value
      },
      "Train as training_nli_v2.py does: on AllNLI.tsv(.gz), by default the one in data/ or datasets/, in batches "
      "without duplicates, 1 epoch, texts of at most 75 tokens, warm-up over a tenth of the steps; the weights that "
      "score best on --sts are saved");
  nli->expected(0, 1)->type_name("[FILE]")->group(group);
  for (const char* other : {"--train_data", "--data_path", "--negs_to_use", "--num_negs_per_system",
                            "--ce_score_margin", "--use_all_queries", "--dev_corpus_max_size"}) {
    nli->excludes(command.get_option(other));
  }
  command
      .add_option_function<std::string>(
          names("--sts"), [&options](const std::string& file) { options.nli->sts = file; },
          "STS benchmark, stsbenchmark.tsv(.gz): its dev part is scored during training, its test part after it. By "
          "default the one beside AllNLI, or in data/ or datasets/; none: the last weights are saved, and nothing is "
          "scored")
      ->needs(nli)
      ->type_name("FILE|none")
      ->group(group);
  command
      .add_option_function<std::int64_t>(
          names("--evaluation_steps"), [&options](const std::int64_t& steps) { options.nli->evaluation_steps = steps; },
          "Score every N steps, and after each epoch. By default a tenth of an epoch; 0: after each epoch only")
      ->needs(nli)
      ->check(CLI::Range(std::int64_t{0}, kMost))
      ->type_name("N")
      ->group(group);
  command
      .add_flag_callback(
          names("--share_examples"), [&options] { options.nli->share_examples = true; },
          "Under mpirun: the processes share the examples out, so that an epoch has so many times fewer steps, and no "
          "text stands twice in a step of all of them. By default each goes through all examples, drawn and shuffled "
          "for itself, as the published models were trained")
      ->needs(nli)
      ->group(group);
}

void finish_nli_options(const CLI::App& command, TrainOptions& options) {
  if (!options.nli) return;
  if (command.get_option("--max_seq_length")->count() == 0) options.max_seq_length = NliOptions::kMaxSeqLength;
  if (command.get_option("--epochs")->count() == 0) options.epochs = NliOptions::kEpochs;
  NliOptions& nli = *options.nli;
  if (nli.file.empty()) nli.file = find_in(usual_folders(), "AllNLI.tsv.gz", "--nli");
  if (nli.sts == kNoPairs) {
    nli.sts.clear();
  } else if (nli.sts.empty()) {
    std::vector<fs::path> folders{nli.file.parent_path()};
    for (fs::path& folder : usual_folders()) folders.push_back(std::move(folder));
    nli.sts = find_in(folders, "stsbenchmark.tsv.gz", "--sts");
  }
}

}  // namespace sgpt::cli
