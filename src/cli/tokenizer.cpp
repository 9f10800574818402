// sgpt tokenizer train: makes a byte-level BPE tokenizer, in BLOOM's configuration, from a collection of texts.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/atomic_file.h"
#include "base/json_lines.h"
#include "base/log.h"
#include "base/output_target.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/given_paths.h"
#include "sgpt/error.h"
#include "text/bpe_trainer.h"

namespace sgpt::cli {
namespace {

struct Options {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  BpeTrainerOptions trainer;
};

/// Adds a text; what is wrong with it is said with its place.
void add(BpeTrainer& trainer, std::string_view text, const auto& reader) {
  try {
    trainer.add(text);
  } catch (const UserError& error) {
    throw UserError(fmt::format("{}: {}", reader.place(), error.what()));
  }
}

void add_json_lines(BpeTrainer& trainer, const std::filesystem::path& path, const auto& count_one) {
  JsonLineReader reader(path);
  while (reader.next()) {
    const auto title = reader.string("title");
    const auto text = reader.string("text");
    if (!title && !text)
      throw UserError(fmt::format("{}: expected \"title\" or \"text\", found neither", reader.place()));
    if (title) add(trainer, *title, reader);
    if (text) add(trainer, *text, reader);
    count_one();
  }
}

void add_plain_lines(BpeTrainer& trainer, const std::filesystem::path& path, const auto& count_one) {
  LineReader reader(path);
  for (std::string_view line; reader.next(line);) {
    add(trainer, line, reader);
    count_one();
  }
}

void read_inputs(const Options& options, BpeTrainer& trainer) {
  Progress progress("Reading", "lines", 0);
  std::int64_t lines = 0;
  const auto count_one = [&] {
    if (++lines % 1024 == 0) progress.update(lines);
  };
  for (const auto& path : options.inputs) {
    if (path.extension() == ".jsonl") {
      add_json_lines(trainer, path, count_one);
    } else {
      add_plain_lines(trainer, path, count_one);
    }
  }
  progress.update(lines);
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
      ->add_option(
          "-i,--input", options->inputs,
          "Texts to learn from: files with one text a line, or .jsonl files, whose \"title\" and \"text\" are used")
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
