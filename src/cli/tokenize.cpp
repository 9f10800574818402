// sgpt tokenize: texts to token ids and back, one JSON object a line.
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/atomic_file.h"
#include "base/json_lines.h"
#include "cli/command.h"
#include "cli/model_option.h"
#include "cli/output.h"
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

/// Lines for a file, which appears when all are written, or for stdout ("-").
class LineWriter {
 public:
  explicit LineWriter(const std::filesystem::path& path) {
    if (path != "-") file_.emplace(path);
  }

  void write(std::string_view line) {
    if (file_) {
      file_->write(line);
    } else {
      print_part(line);
    }
  }

  void finish() {
    if (file_) file_->commit();
  }

 private:
  std::optional<AtomicFile> file_;
};

std::filesystem::path tokenizer_file(const Options& options) {
  if (!options.tokenizer.empty()) return options.tokenizer;
  const std::filesystem::path folder = model_folder(options.model);
  const std::filesystem::path beside = folder / "tokenizer.json";
  return std::filesystem::exists(beside) ? beside : read_model_folder(folder).tokenizer_file();
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
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_file(options));
  JsonLineReader reader(options.input);
  LineWriter writer(options.output);
  while (reader.next()) {
    std::string line;
    try {
      line = options.decode ? decoded_line(tokenizer, reader) : encoded_line(tokenizer, reader, options.max_tokens);
    } catch (const UserError& error) {
      const std::string_view what = error.what();
      if (what.starts_with(reader.place())) throw;
      throw UserError(fmt::format("{}: {}", reader.place(), what));
    }
    writer.write(line);
  }
  writer.finish();
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
