// sgpt serve: a server of embeddings for clients of other servers.
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "cli/command.h"
#include "cli/encoder_options.h"
#include "cli/model_option.h"
#include "serve/run_server.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

struct Options {
  std::filesystem::path model, key_file;
  std::string keys, origins, batch_tokens = "auto", lanes = "auto", truncate = "true", kind;
  double wait = 10, bulk_wait = 120, delay = 0, grace = 30;
  std::int64_t cache = 64;
  serve::ServeOptions serve;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    const auto begin = word.find_first_not_of(" \t\r\n"), end = word.find_last_not_of(" \t\r\n");
    if (begin != std::string::npos) parts.push_back(word.substr(begin, end - begin + 1));
  }
  return parts;
}

/// Keys from a file, one a line or separated by commas.
std::vector<std::string> keys_of(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    log::warning(fmt::format("--api_key_file {}: others than its owner may read it (chmod 600)", file.string()));
  }
  std::ostringstream content;
  const std::ifstream stream(file);
  if (stream.is_open()) content << stream.rdbuf();
  if (!stream.is_open() || stream.bad()) {
    throw UserError(fmt::format("--api_key_file {}: cannot be read: {}", file.string(), std::strerror(errno)));
  }
  std::string text = content.str();
  std::replace(text.begin(), text.end(), '\n', ',');
  std::vector<std::string> keys = split(text);
  if (keys.empty()) throw UserError(fmt::format("--api_key_file {}: there is no key in it", file.string()));
  return keys;
}

std::int64_t number_or_auto(const std::string& option, const std::string& value) {
  if (value == "auto") return 0;
  std::int64_t number = 0;
  if (!CLI::detail::lexical_cast(value, number) || number < 1 || number > (std::int64_t{1} << 30)) {
    throw UserError(fmt::format("{} {}: expected auto or a positive number", option, value));
  }
  return number;
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

void run(Options& options) {
  serve::ServeOptions& serve = options.serve;
  serve.model = model_folder(options.model);
  serve.keys = split(options.keys);
  if (!options.key_file.empty()) {
    for (std::string& key : keys_of(options.key_file)) serve.keys.push_back(std::move(key));
  }
  serve.cors_origins = split(options.origins);
  serve.max_batch_tokens = number_or_auto("--max_batch_tokens", options.batch_tokens);
  serve.lanes = static_cast<int>(number_or_auto("--lanes", options.lanes));
  if (serve.lanes > 64) throw UserError(fmt::format("--lanes {}: expected 64 at most", serve.lanes));
  serve.auto_truncate = options.truncate == "true";
  serve.default_kind = options.kind == "query" ? TextKind::query : TextKind::document;
  serve.default_kind_chosen = !options.kind.empty();
  serve.admission.max_wait = milliseconds(options.wait);
  serve.admission.max_bulk_wait = milliseconds(options.bulk_wait);
  serve.cache_bytes = static_cast<std::size_t>(options.cache) * 1'000'000;
  serve.shutdown_delay = milliseconds(options.delay);
  serve.grace = milliseconds(options.grace);
  if (serve.served_model_name.find(':') != std::string::npos) {
    throw UserError(
        fmt::format("--served_model_name {}: a name has no colon, which separates it from query or document",
                    serve.served_model_name));
  }
  serve::run_server(serve);
}

/// Every option is also an environment variable: containers have their own PORT and HOSTNAME, hence the prefix.
void name_environment(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_lnames().empty() || option->get_name().starts_with("--help")) continue;
    std::string name = "SGPT_" + option->get_lnames().front();
    for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    option->envname(name);
  }
}

void add_http_options(CLI::App& command, Options& options) {
  serve::ServeOptions& serve = options.serve;
  serve::RequestLimits& limits = serve.http.limits;
  const char* group = "The server";
  const auto add = [&](const char* name, auto& value, const char* help, const char* type) {
    return command.add_option(names(name), value, help)->type_name(type)->group(group);
  };
  add("--hostname", serve.http.hostname, "The address to listen on; 0.0.0.0: all of this machine's", "NAME")
      ->capture_default_str();
  add("--port", serve.http.port, "The port to listen on; 0: any that is free", "N")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  add("--api_key", options.keys, "Keys, separated by commas, one of which clients must send (see --api_key_file)",
      "KEYS");
  add("--api_key_file", options.key_file, "The same from a file, which other users of this machine do not see", "FILE");
  add("--cors_allow_origin", options.origins, "Web pages of these addresses, separated by commas, may ask; * for all",
      "ORIGINS");
  command.add_flag(names("--json_output"), serve.json_log, "The log's lines of requests as JSON")->group(group);
  add("--payload_limit", limits.payload, "Bytes of a request's body, at most", "N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 32))
      ->capture_default_str();
  add("--max_connections", limits.connections, "Connections, at most; the oldest idle one makes room", "N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->capture_default_str();
  add("--shutdown_delay", options.delay, "After SIGTERM, seconds until the port closes, in which /ready says no", "N")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  add("--grace", options.grace, "Then seconds for what was accepted to be finished", "N")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
}

void add_work_options(CLI::App& command, Options& options) {
  serve::ServeOptions& serve = options.serve;
  const char* group = "Requests";
  const auto add = [&](const char* name, auto& value, const char* help, const char* type) {
    return command.add_option(names(name), value, help)->type_name(type)->group(group)->capture_default_str();
  };
  command
      .add_option(names("--served_model_name"), serve.served_model_name,
                  "The model's name to clients. By default the folder's")
      ->type_name("NAME")
      ->group(group);
  command
      .add_option(names("--default_prompt_name"), options.kind,
                  "What texts are of which a request does not say it: query, or document (by default)")
      ->check(CLI::IsMember({"query", "document"}))
      ->type_name("KIND")
      ->group(group);
  add("--auto_truncate", options.truncate, "Cut longer inputs where a request does not say; false: refuse them", "BOOL")
      ->check(CLI::IsMember({"true", "false"}));
  command
      .add_flag(names("--accept_token_ids"), serve.accept_token_ids,
                "Take token ids on /v1/embeddings; they must be of this model's tokenizer")
      ->group(group);
  add("--max_concurrent_requests", serve.max_concurrent_requests, "Requests in work at once; further ones get 429", "N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  add("--max_client_batch_size", serve.max_client_batch_size, "Inputs of one request, at most", "N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
  add("--max_batch_tokens", options.batch_tokens,
      "Tokens computed at once; auto: as many as take a quarter of a second, but one longest input", "N");
  add("--max_wait", options.wait, "Seconds that a small request may have to wait; if it would be more, it gets 429",
      "N")
      ->check(CLI::Range(0.0, 86400.0));
  add("--max_bulk_wait", options.bulk_wait, "The same of a request with more than 8 inputs or 256 tokens", "N")
      ->check(CLI::Range(0.0, 86400.0));
  add("--cache", options.cache, "Megabytes for embeddings that may be asked for again; 0: none", "N")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 20));
  add("--lanes", options.lanes, "Batches computed side by side, which share the threads; auto: one for every 8 cores",
      "N");
}

}  // namespace

void add_serve(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "serve",
      "Serves embeddings to clients that were written for OpenAI, text-embeddings-inference, Cohere or ollama.\n"
      "A text's embedding has the bits that sgpt encode gives. See docs/serving.md.");
  add_model_option(*command, "--model", options->model);
  add_http_options(*command, *options);
  add_work_options(*command, *options);
  add_encoder_options(*command, options->serve.encoder);
  add_two_prompt_options(*command, options->serve.encoder);
  command->remove_option(command->get_option("--token_budget"));  // --max_batch_tokens says it here
  name_environment(*command);
  command->callback([options] { run(*options); });
}

}  // namespace sgpt::cli
