// sgpt tokenizer train: makes a byte-level BPE tokenizer, in BLOOM's configuration, from a collection of texts.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/atomic_file.h"
#include "base/log.h"
#include "base/output_target.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/given_paths.h"
#include "encode/text_source.h"
#include "text/bpe_trainer.h"

namespace sgpt::cli {
namespace {

struct Options {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  BpeTrainerOptions trainer;
};

void read_inputs(const Options& options, BpeTrainer& trainer) {
  Progress progress("Reading", "texts", 0);
  std::int64_t texts = 0;
  for (const auto& path : options.inputs) {
    TextSource source(path, TextFormat::automatic);
    for (std::string text; source.next(text);) {
      trainer.add(text);
      if (++texts % 1024 == 0) progress.update(texts);
    }
  }
  progress.update(texts);
}

TrainedBpe train(const Options& options, BpeTrainer& trainer) {
  Progress progress("Training", "tokens", options.trainer.vocab_size);
  return trainer.train([&](std::int64_t tokens) { progress.update(tokens); });
}

void run(const Options& options) {
  GivenPaths paths;
  for (const auto& path : options.inputs) paths.reads("--input", path);
  paths.writes("--output", options.output).check();
  require_writable(options.output);
  BpeTrainer trainer(options.trainer);
  read_inputs(options, trainer);
  const TrainedBpe trained = train(options, trainer);
  if (static_cast<std::int64_t>(trained.tokens.size()) < options.trainer.vocab_size) {
    log::warning(fmt::format("the texts gave only {} tokens of the {} asked for; more text gives more",
                             trained.tokens.size(), options.trainer.vocab_size));
  }
  write_file(options.output, tokenizer_json(trained));
  log::info(fmt::format("wrote {}: {} tokens, {} merges", options.output.string(), trained.tokens.size(),
                        trained.merges.size()));
}

void add_train_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("train", "Train a byte-level BPE tokenizer in BLOOM's configuration");
  command
      ->add_option("-i,--input", options->inputs,
                   "Texts to learn from: files with one text a line, or JSON objects, one a line or in a list, whose "
                   "\"title\" and\n"
                   "\"text\" are used; packed with gzip or not")
      ->required();
  command
      ->add_option(names("--vocab_size"), options->trainer.vocab_size,
                   "Number of tokens, the 4 special tokens and 256 bytes included")
      ->required();
  command
      ->add_option(names("--min_frequency"), options->trainer.min_frequency,
                   "Only make tokens of pairs that occur at least so often")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 30))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "The tokenizer.json to write; - is stdout")->required();
  command->callback([options] { run(*options); });
}

}  // namespace

void add_tokenizer(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tokenizer", "Make tokenizers");
  command->require_subcommand(1);
  add_train_command(*command);
}

}  // namespace sgpt::cli
