// The options that every command with a model shares (encode, eval, search, bench): how texts become embeddings.
#pragma once

#include <string>

#include "sgpt/encoder.h"
#include "sgpt/reranker.h"

namespace CLI {
class App;
}

namespace sgpt::cli {

/// Adds --specb/--no-specb, --pooling, --attention, --normalize, --max_seq_length, --token_budget, --threads, --backend
/// and --dtype to a command. Parsing writes what the user said into `options`, range-checked; what was not said stays
/// as it is. `options` must live until parsing is over.
void add_encoder_options(CLI::App& command, EncoderOptions& options);

/// Adds --token_budget, --threads, --backend and --dtype alone, for a command whose texts become no embeddings. `group`
/// heads them in the help.
void add_compute_options(CLI::App& command, RerankerOptions& options, const char* group);

/// The mode that --pooling names. Throws CLI::ValidationError, which names them all.
PoolingMode pooling_mode(const std::string& name);

}  // namespace sgpt::cli
