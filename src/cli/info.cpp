// sgpt info: what is in a model folder, and the memory it will take.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/filesystem.h"
#include "cli/command.h"
#include "cli/model_option.h"
#include "model/checkpoint.h"
#include "model/family.h"
#include "model/layer_plan.h"
#include "model/lora_adapter.h"
#include "model/memory_plan.h"
#include "model/model_folder.h"
#include "sgpt/tokenizer.h"
#include "train/training_plan.h"

namespace sgpt::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMost = std::int64_t{1} << 24;

struct InfoArguments {
  std::filesystem::path model;
  std::filesystem::path adapter;
  bool json = false;
  std::int64_t token_budget = 2048;
  std::int64_t batch = 32;
  std::int64_t chunk_size = 8;
  std::int64_t max_seq_length = 0;  // 0: the model's
  std::optional<std::uint64_t> activation_memory;
  ComputeType compute = ComputeType::f32;  // of training
};

Json plan_json(const WeightsMemory& weights, std::uint64_t kept, std::uint64_t working) {
  return {{"weights_bytes", weights.values},
          {"mapped_bytes", weights.mapped},
          {"training_bytes", weights.gradients},
          {"activation_bytes", kept},
          {"working_bytes", working},
          {"program_bytes", kProgramBytes},
          {"total_bytes", weights.total() + kept + working + kProgramBytes}};
}

Json encode_plan(const Backend& backend, const Architecture& config, DType stored, const InfoArguments& arguments) {
  const ComputeType compute = stored == DType::i8 ? ComputeType::int8 : ComputeType::f32;  // as `encode` does by itself
  return plan_json(plan_weights(backend, config, stored, {}, compute), 0,
                   forward_working_bytes(layer_plan(config, backend.activation_type()), arguments.token_budget));
}

Json training_plan(const Backend& backend, const Architecture& config, DType stored, const InfoArguments& arguments,
                   bool biases) {
  const TrainingPlan plan = plan_training(backend, config, stored,
                                          {.batch = arguments.batch,
                                           .chunk_size = arguments.chunk_size,
                                           .max_seq_length = arguments.max_seq_length,
                                           .activation_memory = arguments.activation_memory,
                                           .compute = arguments.compute,
                                           .biases_alone = biases});
  Json json = plan_json(plan.weights, plan.kept, plan.working);
  json["computed_again"] = plan.computed_again;
  return json;
}

/// {type: {tensors, bytes}} of what lies on disk.
Json types_on_disk(const Checkpoint& checkpoint) {
  Json types = Json::object();
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    Json& type = types[std::string(name_of(tensor.type))];
    if (type.is_null()) type = {{"tensors", 0}, {"bytes", 0}};
    type["tensors"] = type["tensors"].get<std::uint64_t>() + 1;
    type["bytes"] = type["bytes"].get<std::uint64_t>() + tensor.bytes.size();
  }
  return types;
}

/// What the tokenizer itself puts around a text; null where there is no tokenizer.
Json special_tokens(const ModelFolder& model) {
  if (!files::exists(model.tokenizer_file())) return {};
  const Tokenizer tokenizer = Tokenizer::load(model.tokenizer);
  const auto tokens = [&](const std::vector<std::int32_t>& ids) {
    Json list = Json::array();
    for (const std::int32_t id : ids) list.push_back(tokenizer.decode({&id, 1}));
    return list;
  };
  return {{"before", tokens(tokenizer.special_tokens().before)}, {"behind", tokens(tokenizer.special_tokens().behind)}};
}

Json describe(const ModelFolder& model, const Checkpoint& checkpoint, const InfoArguments& arguments) {
  const DType stored = matrix_type(checkpoint, model.config);
  const auto backend = make_backend("cpu");
  Json info;
  info["name"] = model.name;
  info["path"] = model.path.string();
  info["adapter"] = model.adapter.empty() ? Json() : Json(model.adapter.string());
  info["base"] = model.adapter.empty() ? Json() : Json(model.transformer.string());
  info["format"] = model.has_modules ? "sentence-transformers" : "checkpoint";
  info["architecture"] = model.config.family->model_type;
  info["hidden_size"] = model.config.hidden;
  info["layers"] = model.config.layers;
  info["heads"] = model.config.heads;
  info["key_heads"] = model.config.key_heads();
  info["head_size"] = model.config.head_dim();
  info["attention"] = model.config.causal ? "causal" : "bidirectional";
  info["vocabulary"] = model.config.vocabulary;
  info["parameters"] = parameter_count(model.config);
  info["types"] = types_on_disk(checkpoint);
  info["files"] = Json::array();
  for (const auto& file : checkpoint.files()) info["files"].push_back(file.filename().string());
  info["bytes"] = checkpoint.bytes();
  info["pooling"] = Json::array();
  for (const PoolingMode mode : model.pooling) info["pooling"].push_back(std::string(name_of(mode)));
  info["embedding_size"] = model.config.hidden * static_cast<std::int64_t>(model.pooling.size());
  info["modules"] = Json::array();
  for (const HeadModule& module : model.head) {
    info["modules"].push_back(module.folder.filename().string());
    if (module.dense) info["embedding_size"] = module.dense->out;
  }
  info["normalize"] = model.normalize;
  info["prompts"] = model.sentences.prompts.by_name;
  info["default_prompt_name"] =
      model.sentences.prompts.default_name ? Json(*model.sentences.prompts.default_name) : Json();
  info["include_prompt"] = model.include_prompt;
  info["similarity"] = name_of(model.sentences.similarity);
  info["brackets"] = model.brackets ? Json(*model.brackets) : Json();
  info["special_tokens"] = special_tokens(model);
  info["max_seq_length"] = model.max_seq_length;
  for (const ComputeType type : {ComputeType::f32, ComputeType::bf16, ComputeType::int8}) {
    info["kernels"][name_of(type)] = backend->computes(type) ? Json(backend->kernel_name(type)) : Json();
  }
  info["memory"] = {{"encode", encode_plan(*backend, model.config, stored, arguments)}};
  for (const bool biases : {true, false}) {
    Json& plan = info["memory"][biases ? "train_biases" : "train_all"];  // null: it cannot be trained so
    if (stored == DType::i8 || (biases && !has_biases(model.config))) continue;
    plan = training_plan(*backend, model.config, stored, arguments, biases);
  }
  return info;
}

std::string in_bytes(const Json& value) {
  const auto bytes = value.get<double>();
  if (bytes >= 1e9) return fmt::format("{:.1f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.1f} kB", bytes / 1e3);
}

template <class... Values>
void line(const char* what, fmt::format_string<Values...> format, Values&&... values) {
  fmt::print("{:<12} {}\n", what, fmt::format(format, std::forward<Values>(values)...));
}

std::string comma_separated(const Json& list) {
  std::string text;
  for (const Json& item : list) text += (text.empty() ? "" : ", ") + item.get<std::string>();
  return text;
}

/// A large model has dozens, with names that count.
std::string file_names(const Json& files) {
  constexpr std::size_t kAllShown = 3;
  if (files.size() <= kAllShown) return comma_separated(files);
  return fmt::format("{} … {} ({} files)", files.front().get<std::string>(), files.back().get<std::string>(),
                     files.size());
}

/// Of this machine, for each type that it computes in.
std::string kernel_names(const Json& kernels) {
  std::string text;
  for (const auto& [type, name] : kernels.items()) {
    if (!name.is_null()) text += fmt::format("{}{} by {}", text.empty() ? "" : ", ", type, name.get<std::string>());
  }
  return text;
}

void print_training_memory(const Json& memory, const InfoArguments& arguments) {
  if (memory["train_all"].is_null()) {
    line("", "8-bit integers serve to embed with, not for training: train the model that they were made from");
    return;
  }
  for (const bool biases : {true, false}) {
    const Json& plan = memory[biases ? "train_biases" : "train_all"];
    if (plan.is_null()) continue;
    line("", "about {} to train {}: {} for weights and optimiser, {} kept of forward passes, {} beside",
         in_bytes(plan["total_bytes"]), biases ? "biases (--freezenonbias)" : "everything",
         in_bytes(plan["weights_bytes"].get<std::uint64_t>() + plan["mapped_bytes"].get<std::uint64_t>() +
                  plan["training_bytes"].get<std::uint64_t>()),
         in_bytes(plan["activation_bytes"]), in_bytes(plan["working_bytes"]));
  }
  line("", "(--gradcache --chunksize {}, batches of {} triplets of {} tokens a text)", arguments.chunk_size,
       arguments.batch, arguments.max_seq_length);
}

/// Empty for a tokenizer that puts nothing around a text.
std::string special_tokens_line(const Json& info) {
  const Json& tokens = info["special_tokens"];
  if (tokens.is_null() || (tokens["before"].empty() && tokens["behind"].empty())) return "";
  std::string shown;
  for (const Json& token : tokens["before"]) shown += token.get<std::string>() + " ";
  shown += "TEXT";
  for (const Json& token : tokens["behind"]) shown += " " + token.get<std::string>();
  const bool brackets = info["brackets"].is_boolean() && info["brackets"].get<bool>();
  return fmt::format("{}, special tokens of the tokenizer{}", shown,
                     brackets ? "; not with brackets, which take their place" : ", where brackets are off");
}

void print(const Json& info, const InfoArguments& arguments) {
  const Json& memory = info["memory"];
  line("name", "{}", info["name"].get<std::string>());
  line("format", "{}", info["format"] == "checkpoint" ? "plain checkpoint" : "sentence-transformers folder");
  if (!info["adapter"].is_null()) {
    line("adapter", "{}, added to the weights of {}", info["adapter"].get<std::string>(),
         info["base"].get<std::string>());
  }
  line("family", "{}", info["architecture"].get<std::string>());
  line("size", "hidden {}, layers {}, heads {}, vocabulary {}: {:.1f} million parameters",
       info["hidden_size"].get<std::int64_t>(), info["layers"].get<std::int64_t>(), info["heads"].get<std::int64_t>(),
       info["vocabulary"].get<std::int64_t>(), info["parameters"].get<double>() / 1e6);
  if (info["key_heads"] != info["heads"] || info["attention"] != "causal") {
    line("attention", "{}, {} heads of keys and values, of {} numbers",
         info["attention"] == "causal" ? "causal" : "both ways", info["key_heads"].get<std::int64_t>(),
         info["head_size"].get<std::int64_t>());
  }
  for (const auto& [type, of_type] : info["types"].items()) {
    line("on disk", "{} tensors of {}, {}", of_type["tensors"].get<std::int64_t>(), type, in_bytes(of_type["bytes"]));
  }
  line("files", "{}", file_names(info["files"]));
  line("pooling", "{}{}{}{}", comma_separated(info["pooling"]),
       info["include_prompt"].get<bool>() ? "" : " without the prompt",
       info["modules"].empty() ? "" : ", then " + comma_separated(info["modules"]),
       info["normalize"].get<bool>() ? ", then scaled to length 1" : "");
  line("embedding", "{} numbers", info["embedding_size"].get<std::int64_t>());
  for (const auto& [name, prompt] : info["prompts"].items()) {
    line("prompt", "{}: {}{}", Json(name).dump(-1, ' ', false, Json::error_handler_t::replace),
         prompt.dump(-1, ' ', false, Json::error_handler_t::replace),
         info["default_prompt_name"] == name ? " (the default)" : "");
  }
  if (info["similarity"] != "cosine") line("similarity", "{}", info["similarity"].get<std::string>());
  line("brackets", "{}",
       info["brackets"].is_null()     ? "not recorded: off unless --specb is given"
       : info["brackets"].get<bool>() ? "on"
                                      : "off");
  if (const std::string around = special_tokens_line(info); !around.empty()) line("around", "{}", around);
  line("max length", "{} tokens", info["max_seq_length"].get<std::int64_t>());
  line("kernels", "{}", kernel_names(info["kernels"]));
  line("memory", "about {} to encode, {} tokens at once ({} of it are pages of the weights' files)",
       in_bytes(memory["encode"]["total_bytes"]), arguments.token_budget, in_bytes(memory["encode"]["mapped_bytes"]));
  print_training_memory(memory, arguments);
}

void run_info(InfoArguments arguments) {
  const std::filesystem::path folder = model_folder(arguments.model, arguments.adapter);
  const ModelFolder model = read_model_folder(folder, arguments.adapter);
  const Checkpoint checkpoint = open_weights(model);
  for (const ParameterInfo& parameter : decoder_parameters(model.config)) {
    const CheckpointTensor& matrix = require_parameter(checkpoint, parameter);
    if (matrix.type == DType::i8) checkpoint.scales_of(matrix);
  }
  if (arguments.max_seq_length == 0) arguments.max_seq_length = model.max_seq_length;
  const Json info = describe(model, checkpoint, arguments);
  if (arguments.json) {
    fmt::print("{}\n", info.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    print(info, arguments);
  }
}

}  // namespace

void add_info(CLI::App& app) {
  auto* command = app.add_subcommand(
      "info", "Show what is in a model folder: sizes, types, pooling, brackets, and the memory it will take");
  auto arguments = std::make_shared<InfoArguments>();
  add_model_option(*command, "MODEL", arguments->model);
  add_adapter_option(*command, arguments->adapter);
  command->add_flag(names("--json"), arguments->json, "Print JSON");
  const auto number = [&](const char* name, std::int64_t& value, const char* help) {
    return command->add_option(names(name), value, help)
        ->check(CLI::Range(std::int64_t{1}, kMost))
        ->type_name("N")
        ->group("What memory is planned for");
  };
  number("--token_budget", arguments->token_budget, "Encoding: tokens computed at once")->capture_default_str();
  number("--train_batch_size", arguments->batch, "Training: queries in a step, each with a positive and a negative")
      ->capture_default_str();
  number("--chunksize", arguments->chunk_size, "Training: queries in a chunk of GradCache")->capture_default_str();
  number("--max_seq_length", arguments->max_seq_length, "Training: tokens of every text. By default the model's");
  command
      ->add_option(names("--activation_memory"), arguments->activation_memory,
                   "Training: memory for what is kept of forward passes; bytes, or 500MB, 4GB. By default half of what "
                   "is free beside the weights")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE")
      ->group("What memory is planned for");
  command
      ->add_option_function<std::string>(
          names("--dtype"), [arguments](const std::string& name) { arguments->compute = *compute_type_from(name); },
          "Training: what matrices are multiplied in. In bf16 nothing is packed")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->type_name("TYPE")
      ->default_str("f32")
      ->group("What memory is planned for");
  command->callback([arguments] { run_info(*arguments); });
}

}  // namespace sgpt::cli
