// sgpt tokenize: texts to token ids and back, one JSON object a line.
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/json_lines.h"
#include "cli/command.h"
#include "cli/given_paths.h"
#include "cli/model_option.h"
#include "model/model_folder.h"
#include "sgpt/error.h"
#include "sgpt/tokenizer.h"

namespace sgpt::cli {
namespace {

struct Options {
  std::filesystem::path tokenizer;
  std::filesystem::path model;
  std::filesystem::path input;
  std::filesystem::path output = "-";
  std::size_t max_tokens = std::numeric_limits<std::size_t>::max();
  bool decode = false;
};

/// Whether somebody may be waiting for the answer to a line before the next one is written.
bool may_be_a_conversation(const std::filesystem::path& input) {
  return !files::is_regular(input == "-" ? "/dev/stdin" : input);
}

std::filesystem::path tokenizer_file(const Options& options) {
  if (!options.tokenizer.empty()) return options.tokenizer;
  const std::filesystem::path folder = model_folder(options.model);
  const std::filesystem::path beside = folder / "tokenizer.json";
  return files::exists(beside) ? beside : read_model_folder(folder).tokenizer_file();
}

std::string encoded_line(const Tokenizer& tokenizer, const JsonLineReader& reader, std::size_t max_tokens) {
  std::string line = "{\"ids\": [";
  const char* comma = "";
  for (const std::int32_t id : tokenizer.encode(reader.required_string("text"), max_tokens)) {
    fmt::format_to(std::back_inserter(line), "{}{}", comma, id);
    comma = ", ";
  }
  return line + "]}\n";
}

std::string decoded_line(const Tokenizer& tokenizer, const JsonLineReader& reader) {
  std::vector<std::int32_t> ids;
  for (const std::int64_t id : reader.integers("ids")) {
    if (id < 0 || id >= tokenizer.vocab_size()) {
      throw UserError(fmt::format("the id {} is not in the vocabulary (0 to {})", id, tokenizer.vocab_size() - 1));
    }
    ids.push_back(static_cast<std::int32_t>(id));
  }
  return "{\"text\": " + json_quoted(tokenizer.decode(ids)) + "}\n";
}

void run(const Options& options) {
  const std::filesystem::path file = tokenizer_file(options);
  GivenPaths()
      .reads("--input", options.input)
      .reads(options.tokenizer.empty() ? "--model" : "--tokenizer", file)
      .writes("--output", options.output)
      .check();
  const Tokenizer tokenizer = Tokenizer::load(file);
  JsonLineReader reader(options.input);
  const bool at_once = may_be_a_conversation(options.input);
  AtomicFile output(options.output);
  while (reader.next()) {
    std::string line;
    try {
      line = options.decode ? decoded_line(tokenizer, reader) : encoded_line(tokenizer, reader, options.max_tokens);
    } catch (const UserError& error) {
      const std::string_view what = error.what();
      if (what.starts_with(reader.place())) throw;
      throw UserError(fmt::format("{}: {}", reader.place(), what));
    }
    output.write(line);
    if (at_once) output.flush();
  }
  output.commit();
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("tokenize", "Turn texts into token ids, or with --decode ids into texts");
  CLI::Option_group* from = command->add_option_group("Tokenizer", "Where the tokenizer comes from (one of these)");
  from->add_option("--tokenizer", options->tokenizer,
                   "A tokenizer.json, as the Hugging Face tokenizers library writes it");
  from->add_option("--model", options->model, "The model whose tokenizer it is: a folder, or ORG/NAME on a model hub");
  from->require_option(1);
  command->add_option("-i,--input", options->input, "JSON lines with \"text\" (or \"ids\" for --decode); - for stdin")
      ->required();
  command->add_option("-o,--output", options->output, "JSON lines with \"ids\" (or \"text\"); - for stdout")
      ->capture_default_str();
  CLI::Option* most =
      command->add_option(names("--max_tokens"), options->max_tokens, "Cut each text after so many tokens")
          ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 30))
          ->type_name("N")
          ->default_str("all");
  command->add_flag("--decode", options->decode, "Turn ids back into texts")->excludes(most);
  command->callback([options] { run(*options); });
}

}  // namespace sgpt::cli
