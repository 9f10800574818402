// sgpt info: what is in a model folder, and the memory it will take.
#include <cstdint>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/model_option.h"
#include "model/bloom.h"
#include "model/checkpoint.h"
#include "model/memory_estimate.h"
#include "model/model_folder.h"

namespace sgpt::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InfoArguments {
  std::filesystem::path model;
  bool json = false;
};

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

Json describe(const ModelFolder& model, const Checkpoint& checkpoint) {
  const MemoryEstimate memory = estimate_memory(model.config);
  Json info;
  info["name"] = model.name;
  info["path"] = model.path.string();
  info["format"] = model.has_modules ? "sentence-transformers" : "checkpoint";
  info["hidden_size"] = model.config.hidden;
  info["layers"] = model.config.layers;
  info["heads"] = model.config.heads;
  info["vocabulary"] = model.config.vocabulary;
  info["parameters"] = parameter_count(model.config);
  info["types"] = types_on_disk(checkpoint);
  info["files"] = Json::array();
  for (const auto& file : checkpoint.files()) info["files"].push_back(file.filename().string());
  info["bytes"] = checkpoint.bytes();
  info["pooling"] = Json::array();
  for (const PoolingMode mode : model.pooling) info["pooling"].push_back(std::string(name_of(mode)));
  info["embedding_size"] = model.config.hidden * static_cast<std::int64_t>(model.pooling.size());
  info["normalize"] = model.normalize;
  info["brackets"] = model.brackets ? Json(*model.brackets) : Json();
  info["max_seq_length"] = model.max_seq_length;
  info["memory"] = {{"encode_bytes", memory.encode},
                    {"train_biases_bytes", memory.train_biases},
                    {"train_all_bytes", memory.train_all},
                    {"train_bytes_per_1000_tokens", memory.train_1000_tokens}};
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

void print(const Json& info) {
  const Json& memory = info["memory"];
  line("name", "{}", info["name"].get<std::string>());
  line("format", "{}", info["format"] == "checkpoint" ? "plain BLOOM checkpoint" : "sentence-transformers folder");
  line("size", "hidden {}, layers {}, heads {}, vocabulary {}: {:.1f} million parameters",
       info["hidden_size"].get<std::int64_t>(), info["layers"].get<std::int64_t>(), info["heads"].get<std::int64_t>(),
       info["vocabulary"].get<std::int64_t>(), info["parameters"].get<double>() / 1e6);
  for (const auto& [type, of_type] : info["types"].items()) {
    line("on disk", "{} tensors of {}, {}", of_type["tensors"].get<std::int64_t>(), type, in_bytes(of_type["bytes"]));
  }
  line("files", "{}", comma_separated(info["files"]));
  line("pooling", "{}{}", comma_separated(info["pooling"]),
       info["normalize"].get<bool>() ? ", then scaled to length 1" : "");
  line("embedding", "{} numbers", info["embedding_size"].get<std::int64_t>());
  line("brackets", "{}",
       info["brackets"].is_null()     ? "not recorded: off unless --specb is given"
       : info["brackets"].get<bool>() ? "on"
                                      : "off");
  line("max length", "{} tokens", info["max_seq_length"].get<std::int64_t>());
  line("memory", "about {} to encode", in_bytes(memory["encode_bytes"]));
  line("", "about {} to train biases (--freezenonbias), {} to train everything,",
       in_bytes(memory["train_biases_bytes"]), in_bytes(memory["train_all_bytes"]));
  line("", "and {} for every 1000 tokens of a chunk", in_bytes(memory["train_bytes_per_1000_tokens"]));
}

void run_info(const InfoArguments& arguments) {
  const ModelFolder model = read_model_folder(model_folder(arguments.model));
  const Checkpoint checkpoint = Checkpoint::open(model.transformer);
  for (const ParameterInfo& parameter : bloom_parameters(model.config)) {
    const bool quantized =
        parameter.kind == ParameterKind::matrix && checkpoint.quantized(parameter.name, parameter.shape());
    if (!quantized) checkpoint.require(parameter.name, parameter.shape());
  }
  const Json info = describe(model, checkpoint);
  if (arguments.json) {
    fmt::print("{}\n", info.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    print(info);
  }
}

}  // namespace

void add_info(CLI::App& app) {
  auto* command = app.add_subcommand(
      "info", "Show what is in a model folder: sizes, types, pooling, brackets, and the memory it will take");
  auto arguments = std::make_shared<InfoArguments>();
  add_model_option(*command, "model", arguments->model);
  command->add_flag(names("--json"), arguments->json, "Print JSON");
  command->callback([arguments] { run_info(*arguments); });
}

}  // namespace sgpt::cli
