// The options that every command with a model shares (encode, eval, search, bench): how texts become embeddings.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sgpt/encoder.h"
#include "sgpt/reranker.h"
#include "sgpt/similarity.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sgpt::cli {

/// Adds --specb/--no-specb, --pooling, --attention, --normalize, --truncate_dim, --max_seq_length, --append_eos_token,
/// --adapter, --token_budget, --threads, --backend and --dtype to a command. Parsing writes what the user said into
/// `options`, range-checked; what was not said stays as it is. `options` must live until parsing is over.
void add_encoder_options(CLI::App& command, EncoderOptions& options);

/// Adds --prompt and --prompt_name, of a command all of whose texts are of one kind. Returns both.
std::vector<CLI::Option*> add_prompt_options(CLI::App& command, EncoderOptions& options);

/// Adds --query_prompt, --query_prompt_name, --document_prompt and --document_prompt_name, of a command with texts of
/// both kinds. Returns them.
std::vector<CLI::Option*> add_two_prompt_options(CLI::App& command, EncoderOptions& options);

/// To somebody who gives --prompt where texts of both kinds are embedded.
inline constexpr const char* kWhosePrompt =
    "--prompt and --prompt_name do not say whether it stands before queries or documents: use --query_prompt or "
    "--document_prompt, or the same with _name";

/// Makes a command say that.
void refuse_one_prompt(CLI::App& command);

/// Adds --similarity.
CLI::Option* add_similarity_option(CLI::App& command, std::optional<Similarity>& similarity);

/// A log line where scores are not the cosines that people expect: what they are, and who says so.
void tell_similarity(std::optional<Similarity> wanted, Similarity of_folder);

/// Adds --token_budget, --threads, --backend and --dtype alone, for a command whose texts become no embeddings. `group`
/// heads them in the help.
void add_compute_options(CLI::App& command, RerankerOptions& options, const char* group);

/// The mode that --pooling names. Throws CLI::ValidationError, which names them all.
PoolingMode pooling_mode(const std::string& name);

}  // namespace sgpt::cli
