// sgpt tokenize: texts to token ids and back, one JSON object a line.
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/atomic_file.h"
#include "base/filesystem.h"
#include "base/json_lines.h"
#include "base/json_string.h"
#include "cli/command.h"
#include "cli/given_paths.h"
#include "cli/model_option.h"
#include "encode/text_preparation.h"
#include "model/model_folder.h"
#include "sgpt/error.h"
#include "sgpt/tokenizer.h"

namespace sgpt::cli {
namespace {

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

struct Options {
  std::filesystem::path tokenizer;
  std::filesystem::path model;
  std::filesystem::path input;
  std::filesystem::path output = "-";
  std::size_t max_tokens = kAll;
  std::optional<bool> special_tokens;
  PromptChoice prompt;
  bool append_eos_token = false;
  bool decode = false;
};

/// Whether somebody may be waiting for the answer to a line before the next one is written.
bool may_be_a_conversation(const std::filesystem::path& input) {
  return !files::is_regular(input == "-" ? "/dev/stdin" : input);
}

/// A tokenizer, and whether its special tokens are put around texts; or a preparation that makes texts to what an
/// encoder sees, where prompts or further tokens are asked for.
struct Choice {
  Tokenizer tokenizer;
  bool special_tokens;
  std::optional<TextPreparation> preparation = {};
};

Choice choose(const Options& options) {
  if (options.prompt.text || options.prompt.name || options.append_eos_token) {
    const ModelFolder folder = read_model_folder(model_folder(options.model));
    TextPreparation::Options wanted{
        .brackets = false, .plain_prompt = options.prompt, .append_eos_token = options.append_eos_token};
    if (options.max_tokens != kAll) wanted.max_seq_length = static_cast<std::int64_t>(options.max_tokens);
    Tokenizer tokenizer = Tokenizer::load(folder.tokenizer);
    TextPreparation preparation(tokenizer, folder, wanted);
    preparation.tell(TextKind::plain);
    return {std::move(tokenizer), true, std::move(preparation)};
  }
  if (!options.tokenizer.empty()) {
    return {Tokenizer::load(options.tokenizer), options.special_tokens.value_or(true)};
  }
  const std::filesystem::path folder = model_folder(options.model);
  const bool beside = files::exists(folder / "tokenizer.json") || files::exists(folder / "vocab.json");
  Tokenizer tokenizer = Tokenizer::load(beside ? folder : read_model_folder(folder).tokenizer);
  if (options.special_tokens) return {std::move(tokenizer), *options.special_tokens};
  const bool asks = tokenizer.special_tokens().size() > 0;  // else a tokenizer without a model does as well
  return {std::move(tokenizer), asks && !read_model_folder(folder).brackets.value_or(false)};
}

std::vector<std::int32_t> ids_of(const Choice& choice, const std::string& text, std::size_t max_tokens) {
  if (choice.preparation) return choice.preparation->ids(text, TextKind::plain);
  return choice.special_tokens ? choice.tokenizer.encode_with_special_tokens(text, max_tokens)
                               : choice.tokenizer.encode(text, max_tokens);
}

std::string encoded_line(const Choice& choice, const JsonLineReader& reader, std::size_t max_tokens) {
  const std::string text = reader.required_string("text");
  std::string line = "{\"ids\": [";
  const char* comma = "";
  for (const std::int32_t id : ids_of(choice, text, max_tokens)) {
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
  GivenPaths()
      .reads("--input", options.input)
      .reads_model("--model", options.model)
      .reads("--tokenizer", options.tokenizer)
      .writes("--output", options.output)
      .check();
  const Choice choice = choose(options);
  JsonLineReader reader(options.input);
  const bool at_once = may_be_a_conversation(options.input);
  AtomicFile output(options.output);
  while (reader.next()) {
    std::string line;
    try {
      line = options.decode ? decoded_line(choice.tokenizer, reader) : encoded_line(choice, reader, options.max_tokens);
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
  CLI::Option* model = from->add_option("--model", options->model,
                                        "The model whose tokenizer it is: a folder, or ORG/NAME on a model hub");
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
  CLI::Option* with = command->add_flag_callback(
      names("--special_tokens"), [options] { options->special_tokens = true; },
      "Put the tokenizer's special tokens (<s>, </s>) around texts, if it has any; --max_tokens includes them. By "
      "default as encode does: yes, unless the model's texts stand in brackets, which are not shown here");
  CLI::Option* without = command->add_flag_callback(
      names("--no_special_tokens"), [options] { options->special_tokens = false; }, "No special tokens around texts");
  with->excludes(without);
  CLI::Option* prompt = command->add_option(
      names("--prompt"), options->prompt.text,
      "What is put before every text, which is stripped first, as encode does; special tokens stand around both, and "
      "what is beyond the model's length is cut");
  CLI::Option* prompt_name =
      command->add_option(names("--prompt_name"), options->prompt.name, "The same by a name that the model has for it");
  CLI::Option* eos =
      command->add_flag(names("--append_eos_token"), options->append_eos_token,
                        "Put the tokenizer's eos token behind every text, as encode does with this option");
  prompt->type_name("TEXT")->excludes(without)->needs(model);
  prompt_name->type_name("NAME")->excludes(prompt)->excludes(without)->needs(model);
  eos->excludes(without)->needs(model);
  CLI::Option* decode = command->add_flag("--decode", options->decode, "Turn ids back into texts");
  for (CLI::Option* of_encoding : {most, with, without, prompt, prompt_name, eos}) decode->excludes(of_encoding);
  command->callback([options] { run(*options); });
}

}  // namespace sgpt::cli
