// sgpt convert: a model's weights in another type.
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/given_paths.h"
#include "cli/model_option.h"
#include "cli/stop_signals.h"
#include "model/convert.h"

namespace sgpt::cli {
namespace {

struct ConvertArguments {
  std::filesystem::path model;
  std::string output;
  std::string type;
  std::filesystem::path adapter;
  bool merge_adapter = false;
  std::uint64_t shard_bytes = ConvertOptions{}.shard_bytes;
};

void run_convert(const ConvertArguments& arguments) {
  constexpr std::uint64_t kMegabyte = 1'000'000;
  ConvertOptions options;
  options.type = *weight_type_from(arguments.type);
  options.shard_bytes = arguments.shard_bytes;
  const StopSignals signals;
  std::unique_ptr<Progress> progress;
  options.on_progress = [&](std::uint64_t done, std::uint64_t total) {
    if (const int signal = signals.received()) {
      throw Ended{128 + signal, fmt::format("stopped by a signal; nothing is left of {}", arguments.output)};
    }
    if (!progress) {
      progress = std::make_unique<Progress>("converting", "MB", static_cast<std::int64_t>(total / kMegabyte));
    }
    progress->update(static_cast<std::int64_t>(done / kMegabyte));
  };
  options.adapter = arguments.adapter;
  options.merge_adapter = arguments.merge_adapter;
  const std::filesystem::path model = model_folder(arguments.model, options.adapter);
  GivenPaths()
      .reads("MODEL", model)
      .reads("--adapter", options.adapter)
      .makes_folder("OUTPUT", arguments.output)
      .check();
  const ConvertResult result = convert_model(model, arguments.output, options);
  progress.reset();
  log::info(fmt::format("{}: {} tensors as {}, {:.2f} GB in {} {}", arguments.output, result.tensors, arguments.type,
                        static_cast<double>(result.bytes) / 1e9, result.files, result.files == 1 ? "file" : "files"));
}

}  // namespace

void add_convert(CLI::App& app) {
  auto* command = app.add_subcommand(
      "convert", "Write a model with its weights in another type, as safetensors; takes little memory at any size");
  auto arguments = std::make_shared<ConvertArguments>();
  add_model_option(*command, "MODEL", arguments->model);
  command->add_option("OUTPUT", arguments->output, "The model folder to make; it must be new or empty")
      ->required()
      ->type_name("");
  command
      ->add_option(
          names("--dtype"), arguments->type,
          "bf16: half the size of f32, with its range; f16: half the size, more digits, numbers up to 65504; f32;\n"
          "int8: the matrices as 8-bit integers with a scale for every 256 inputs, a quarter of the size, to "
          "embed with only")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"bf16", "f16", "f32", "int8"}))
      ->type_name("TYPE");
  add_adapter_option(*command, arguments->adapter);
  command->add_flag(
      names("--merge_adapter"), arguments->merge_adapter,
      "Write the model with the adapter of --adapter added to its weights, or, where MODEL is an adapter, "
      "its base model with it");
  command
      ->add_option(names("--shard_size"), arguments->shard_bytes,
                   "Data in one file of weights at most; larger models are cut into several. Bytes, or 500MB, 5GB")
      ->transform(CLI::AsSizeValue(true))
      ->type_name("SIZE")
      ->default_str("5GB");
  command->callback([arguments] { run_convert(*arguments); });
}

}  // namespace sgpt::cli
