#include "cli/rerank_options.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/filesystem.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/model_option.h"
#include "sgpt/error.h"

namespace sgpt::cli {

CLI::Option* add_template_option(CLI::App& command, std::string& text_template, const char* group) {
  return command
      .add_option(names("--template"), text_template,
                  "What stands around the document: a letter from A to I, the paper's templates, or a file whose first "
                  "{} is the document's place; the query follows its last character. By default G")
      ->type_name("LETTER|FILE")
      ->group(group);
}

void add_reranker_options(CLI::App& command, std::string& text_template, RerankerOptions& options) {
  constexpr const char* kGroup = "How a query is scored";
  add_template_option(command, text_template, kGroup);
  command
      .add_option_function<std::string>(
          names("--score"), [&options](const std::string& kind) { options.yes_no = kind == "yes_no"; },
          "What a score is: query, how probable the query is after the document; yes_no, how probable the answer "
          "\"yes\" "
          "is to Qwen3-Reranker's question. By default yes_no of a model that is called Qwen3-Reranker, else query")
      ->check(CLI::IsMember({"query", "yes_no"}))
      ->type_name("KIND")
      ->group(kGroup);
  command.add_option(names("--instruction"), options.instruction, "With yes_no: what the document is wanted for")
      ->type_name("TEXT")
      ->capture_default_str()
      ->group(kGroup);
  command
      .add_option(names("--vocabulary_rows"), options.vocabulary_rows,
                  "Rows of the output layer that make the softmax, the first ones; 0: all (SGPT's notebook took 50257, "
                  "which differs for GPT-J)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 30))
      ->type_name("N")
      ->group(kGroup);
  command
      .add_option_function<std::int64_t>(
          names("--max_length"), [&options](const std::int64_t& n) { options.max_length = n; },
          "Tokens that the model sees; a longer document loses its beginning. By default all its positions; "
          "with yes_no 8192, and the document loses its end")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->type_name("N")
      ->group(kGroup);
  add_adapter_option(command, options.adapter)->group(kGroup);
  add_compute_options(command, options, kGroup);
}

std::filesystem::path template_file(const std::string& name_or_file) {
  return rerank_template(name_or_file) ? std::filesystem::path() : std::filesystem::path(name_or_file);
}

std::string read_template(const std::string& name_or_file) {
  if (const auto known = rerank_template(name_or_file)) return std::string(*known);
  if (!files::exists(name_or_file)) {
    throw UserError(
        fmt::format("--template {}: expected a letter from A to I, or a file; there is no such file", name_or_file));
  }
  std::string text(MappedFile(name_or_file).text());
  if (text.find("{}") == std::string::npos) {
    throw UserError(
        fmt::format("{}: the template has no {{}} in it, which says where the document goes", name_or_file));
  }
  if (text.ends_with('\n')) {
    log::info(fmt::format("{}: the template ends with a line end, which stands before every query", name_or_file));
  }
  return text;
}

}  // namespace sgpt::cli
