// sgpt init: a new BLOOM of any size, with random weights.
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/given_paths.h"
#include "model/memory_plan.h"
#include "model/model_folder_writer.h"
#include "model/random_weights.h"
#include "sgpt/error.h"
#include "sgpt/tokenizer.h"

namespace sgpt::cli {
namespace {

struct InitArguments {
  std::string output;
  std::string tokenizer;
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t seed = 0;
  std::int64_t max_seq_length = 300;
  std::vector<PoolingMode> pooling;
};

void run_init(const InitArguments& arguments) {
  if (arguments.hidden % arguments.heads != 0) {
    throw UserError(fmt::format("--hidden {} cannot be divided among --heads {}; choose a multiple", arguments.hidden,
                                arguments.heads));
  }
  GivenPaths().reads("--tokenizer", arguments.tokenizer).makes_folder("--output", arguments.output).check();
  require_new_folder(arguments.output);
  const Tokenizer tokenizer = Tokenizer::load(arguments.tokenizer);
  ModelFolder settings;
  settings.config.hidden = arguments.hidden;
  settings.config.layers = arguments.layers;
  settings.config.heads = arguments.heads;
  settings.config.vocabulary = tokenizer.vocab_size();
  settings.max_seq_length = arguments.max_seq_length;
  settings.pooling = arguments.pooling.empty() ? std::vector{PoolingMode::weightedmean} : arguments.pooling;
  write_model_folder(settings, arguments.tokenizer, arguments.output,
                     random_weights(settings.config, static_cast<std::uint64_t>(arguments.seed)));
  log::info(fmt::format("{}: a BLOOM of {} parameters with random weights, {} tokens in its vocabulary",
                        arguments.output, parameter_count(settings.config), settings.config.vocabulary));
}

}  // namespace

void add_init(CLI::App& app) {
  auto* command = app.add_subcommand("init", "Make a new BLOOM model of any size, with random weights to train from");
  auto arguments = std::make_shared<InitArguments>();
  command->add_option(names("--output"), arguments->output, "The model folder to make; it must not exist yet")
      ->required()
      ->type_name("DIR");
  command
      ->add_option(names("--tokenizer"), arguments->tokenizer,
                   "A tokenizer.json (\"sgpt tokenizer train\" makes one); it gives the size of the vocabulary")
      ->required()
      ->type_name("FILE");
  const auto size = [&](const char* name, std::int64_t& value, const char* help, std::int64_t largest) {
    command->add_option(names(name), value, help)->check(CLI::Range(std::int64_t{1}, largest))->type_name("N");
  };
  size("--hidden", arguments->hidden, "Numbers in a hidden state, and in an embedding; a multiple of --heads", 1 << 20);
  size("--layers", arguments->layers, "Layers", 1 << 12);
  size("--heads", arguments->heads, "Attention heads", 1 << 14);
  for (const char* name : {"--hidden", "--layers", "--heads"}) command->get_option(name)->required();
  size("--max_seq_length", arguments->max_seq_length,
       "Tokens of a text that are looked at, brackets included; recorded in the folder", 1'000'000);
  command->get_option("--max_seq_length")->capture_default_str();
  command->add_option(names("--seed"), arguments->seed, "The same seed and sizes make the same weights")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option_function<std::vector<std::string>>(
          names("--pooling"),
          [arguments](const std::vector<std::string>& modes) {
            for (const auto& name : modes) arguments->pooling.push_back(pooling_mode(name));
          },
          "How hidden states become one vector, recorded in the folder: cls, max, mean, mean_sqrt_len, weightedmean "
          "(the "
          "default) or lasttoken; several are separated by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("MODE");
  command->callback([arguments] { run_init(*arguments); });
}

}  // namespace sgpt::cli
