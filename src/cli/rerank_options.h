// The options of a cross-encoder: what stands around a document, and how its model computes.
#pragma once

#include <filesystem>
#include <string>

#include "sgpt/reranker.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sgpt::cli {

/// Adds --template, under a heading of the help.
CLI::Option* add_template_option(CLI::App& command, std::string& text_template, const char* group);

/// Adds --template, --score, --instruction, --vocabulary_rows, --max_length and the options of computing. What
/// --template names is read by read_template, not in parsing.
void add_reranker_options(CLI::App& command, std::string& text_template, RerankerOptions& options);

/// The template that a letter stands for, or a file's content as it is. Throws UserError when there is no such file.
std::string read_template(const std::string& name_or_file);
/// That file; empty for a letter.
std::filesystem::path template_file(const std::string& name_or_file);

}  // namespace sgpt::cli
