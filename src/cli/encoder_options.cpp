#include "cli/encoder_options.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "backend/backend.h"
#include "base/log.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/model_option.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

constexpr const char* kGroup = "How texts become embeddings";
constexpr int kMostThreads = 4096;
constexpr std::int64_t kMostTokens = std::int64_t{1} << 30;

std::vector<std::string> backends() {
  std::vector<std::string> result;
  for (const auto name : backend_names()) result.emplace_back(name);
  return result;
}

/// What EncoderOptions and RerankerOptions have alike.
template <class Options>
void add_computing(CLI::App& command, Options& options, const char* group) {
  auto* budget = command.add_option(names("--token_budget"), options.token_budget,
                                    "Tokens computed at once; more take more memory. 0: chosen for speed");
  budget->check(CLI::Range(std::int64_t{0}, kMostTokens))->type_name("N");
  auto* threads = command.add_option(names("--threads"), options.threads, "Threads to compute with. 0: all cores");
  threads->check(CLI::Range(0, kMostThreads))->type_name("N");
  auto* backend = command.add_option(names("--backend"), options.backend,
                                     "What computes: cpu, or reference (slow and plain, to check with)");
  backend->check(CLI::IsMember(backends()))->type_name("NAME")->capture_default_str();
  auto* dtype = command.add_option_function<std::string>(
      names("--dtype"), [&options](const std::string& name) { options.compute = compute_type_from(name); },
      "What the model's matrices are multiplied in: f32, exact; int8, about three times as fast, in a quarter of the "
      "memory,\nclose to the exact embeddings (cosine 0.999); bf16, on processors with instructions for it; auto: bf16 "
      "where the\nweights have 16 bits and this processor is clearly faster with it, else f32. By default f32, or int8 "
      "where the weights are");
  dtype->check(CLI::IsMember({"auto", "f32", "bf16", "int8"}))->type_name("TYPE");
  for (CLI::Option* option : {budget, threads, backend, dtype}) option->group(group);
}

}  // namespace

PoolingMode pooling_mode(const std::string& name) {
  if (const auto mode = pooling_mode_from(name)) return *mode;
  throw CLI::ValidationError("--pooling", fmt::format("no pooling mode is called '{}'; there are cls, max, mean, "
                                                      "mean_sqrt_len, weightedmean and lasttoken",
                                                      name));
}

void add_encoder_options(CLI::App& command, EncoderOptions& options) {
  auto* brackets = command.add_flag_callback(
      names("--specb"), [&options] { options.brackets = true; },
      "Put special brackets around texts: [query] and {document}. By default as the model folder says");
  auto* no_brackets = command.add_flag_callback(
      names("--no_specb"), [&options] { options.brackets = false; }, "No special brackets");
  brackets->excludes(no_brackets);
  auto* pooling = command.add_option_function<std::vector<std::string>>(
      names("--pooling"),
      [&options](const std::vector<std::string>& modes) {
        for (const auto& name : modes) options.pooling.push_back(pooling_mode(name));
      },
      "How hidden states become one vector: cls, max, mean, mean_sqrt_len, weightedmean or lasttoken; several, "
      "separated "
      "by commas, are put end to end. By default as the model folder says");
  pooling->delimiter(',')->allow_extra_args(false)->type_name("MODE");
  auto* attention = command.add_option_function<std::string>(
      names("--attention"), [&options](const std::string& kind) { options.causal = kind == "causal"; },
      "What a token sees: causal, those before it; or bidirectional, all. By default as the model folder says");
  attention->check(CLI::IsMember({"causal", "bidirectional"}))->type_name("KIND");
  auto* normalize = command.add_flag_callback(
      names("--normalize"), [&options] { options.normalize = true; }, "Scale every embedding to length 1");
  auto* length = command.add_option_function<std::int64_t>(
      names("--max_seq_length"), [&options](const std::int64_t& n) { options.max_seq_length = n; },
      "Tokens of a text that are looked at, brackets included. By default as the model folder says");
  length->check(CLI::Range(std::int64_t{1}, kMostTokens))->type_name("N");
  auto* first = command.add_option_function<std::int64_t>(
      names("--truncate_dim"), [&options](const std::int64_t& n) { options.truncate_dim = n; },
      "Only the first N numbers of an embedding, of a model that was trained for it (Matryoshka); they are scaled to "
      "length 1 where the model's embeddings are");
  first->check(CLI::Range(std::int64_t{1}, kMostTokens))->type_name("N");
  auto* eos =
      command.add_flag(names("--append_eos_token"), options.append_eos_token,
                       "Put the tokenizer's eos token behind every text, as RepLLaMA and tevatron's models want "
                       "it, whose files do not say so");
  for (CLI::Option* option : {brackets, no_brackets, pooling, attention, normalize, length, first, eos})
    option->group(kGroup);
  add_adapter_option(command, options.adapter)->group(kGroup);
  add_computing(command, options, kGroup);
}

std::vector<CLI::Option*> add_prompt_options(CLI::App& command, EncoderOptions& options) {
  const auto set = [&options](std::optional<std::string> PromptChoice::*member) {
    return [&options, member](const std::string& value) {
      for (PromptChoice* choice : {&options.query_prompt, &options.document_prompt, &options.plain_prompt}) {
        choice->*member = value;
      }
    };
  };
  CLI::Option* text = command.add_option_function<std::string>(
      names("--prompt"), set(&PromptChoice::text),
      "What is put before every text, as it is. By default as the model folder says; an empty one is none");
  CLI::Option* name = command.add_option_function<std::string>(names("--prompt_name"), set(&PromptChoice::name),
                                                               "The same by a name that the model folder has for it");
  text->type_name(kPromptType)->group(kGroup);
  name->type_name("NAME")->excludes(text)->group(kGroup);
  return {text, name};
}

std::vector<CLI::Option*> add_two_prompt_options(CLI::App& command, EncoderOptions& options) {
  std::vector<CLI::Option*> added;
  const auto add = [&](const std::string& side, const char* texts, PromptChoice& choice) {
    CLI::Option* text = command.add_option_function<std::string>(
        names("--" + side + "_prompt"), [&choice](const std::string& value) { choice.text = value; },
        fmt::format("What is put before {}, as it is. By default as the model folder says; an empty one is none",
                    texts));
    CLI::Option* name = command.add_option_function<std::string>(
        names("--" + side + "_prompt_name"), [&choice](const std::string& value) { choice.name = value; },
        "The same by a name that the model folder has for it");
    text->type_name(kPromptType)->group(kGroup);
    name->type_name("NAME")->excludes(text)->group(kGroup);
    added.insert(added.end(), {text, name});
  };
  add("query", "queries", options.query_prompt);
  add("document", "documents", options.document_prompt);
  return added;
}

void refuse_one_prompt(CLI::App& command) {
  for (const char* name : {"--prompt", "--prompt_name"}) {
    command
        .add_option_function<std::string>(
            names(name), [&command](const std::string&) { throw UserError(command.get_name() + ": " + kWhosePrompt); })
        ->group("");  // not shown in the help
  }
}

CLI::Option* add_similarity_option(CLI::App& command, std::optional<Similarity>& similarity) {
  return command
      .add_option_function<std::string>(
          names("--similarity"), [&similarity](const std::string& name) { similarity = similarity_from(name); },
          "How embeddings are compared; distances are negated. By default as the model folder says, else by cosine")
      ->check(CLI::IsMember({"cosine", "dot", "euclidean", "manhattan"}))
      ->type_name("NAME")
      ->group(kGroup);
}

void tell_similarity(std::optional<Similarity> wanted, Similarity of_folder) {
  if (wanted || of_folder == Similarity::cosine) return;
  log::info(
      fmt::format("embeddings are compared by {}, as the model folder says (similarity_fn_name; --similarity "
                  "cosine chooses another way)",
                  of_folder == Similarity::dot ? "their dot product"
                                               : fmt::format("their {} distance, negated", name_of(of_folder))));
}

void add_compute_options(CLI::App& command, RerankerOptions& options, const char* group) {
  add_computing(command, options, group);
}

}  // namespace sgpt::cli
