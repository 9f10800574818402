// sgpt init: a new model of any family and size, with random weights.
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
#include "model/family.h"
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
  std::string architecture = "bloom";
  std::int64_t positions = 2048;
  std::vector<PoolingMode> pooling;
};

void run_init(const InitArguments& arguments) {
  GivenPaths().reads("--tokenizer", arguments.tokenizer).makes_folder("--output", arguments.output).check();
  require_new_folder(arguments.output);
  const Tokenizer tokenizer = Tokenizer::load(arguments.tokenizer);
  ModelFolder settings;
  settings.config = make_architecture(arguments.architecture, {.hidden = arguments.hidden,
                                                               .layers = arguments.layers,
                                                               .heads = arguments.heads,
                                                               .vocabulary = tokenizer.vocab_size(),
                                                               .positions = arguments.positions});
  settings.max_seq_length = arguments.max_seq_length;
  settings.pooling = arguments.pooling.empty() ? std::vector{PoolingMode::weightedmean} : arguments.pooling;
  write_model_folder(settings, arguments.tokenizer, arguments.output,
                     random_weights(settings.config, static_cast<std::uint64_t>(arguments.seed)));
  log::info(fmt::format("{}: a {} of {} parameters with random weights, {} tokens in its vocabulary", arguments.output,
                        settings.config.family->name, parameter_count(settings.config), settings.config.vocabulary));
}

}  // namespace

void add_init(CLI::App& app) {
  auto* command = app.add_subcommand("init", "Make a new model of any size, with random weights to train from");
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
  std::vector<std::string> types;
  for (const Family* family : families()) types.emplace_back(family->model_type);
  command->add_option(names("--architecture"), arguments->architecture, "The family of models that it belongs to")
      ->check(CLI::IsMember(types))
      ->type_name("NAME")
      ->capture_default_str();
  size("--positions", arguments->positions,
       "Tokens that a text can have at most; BLOOM has no such limit and no use for this", 1 << 20);
  command->get_option("--positions")->capture_default_str();
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
