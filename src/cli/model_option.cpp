#include "cli/model_option.h"

#include <algorithm>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "hub/hub.h"
#include "model/lora_config.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

/// ORG/NAME[@REVISION], and not a path whose last part was mistyped: then the folder before the slash is here.
bool looks_like_hub_name(const std::string& model) {
  const std::size_t slash = model.find('/');
  return std::count(model.begin(), model.end(), '/') == 1 && slash > 0 && slash + 1 < model.size() && model[0] != '.' &&
         model[0] != '~' && !std::filesystem::exists(model.substr(0, slash));
}

}  // namespace

CLI::Option* add_model_option(CLI::App& command, const std::string& spelling, std::filesystem::path& model,
                              const std::string& purpose) {
  const bool positional = spelling.front() != '-';  // its name says it all
  return command
      .add_option(names(spelling), model,
                  purpose + ": a folder, or ORG/NAME on a model hub (from the local cache, or downloaded into it)")
      ->required()
      ->type_name(positional ? "" : "MODEL");
}

CLI::Option* add_adapter_option(CLI::App& command, std::filesystem::path& adapter) {
  return command
      .add_option(
          names("--adapter"), adapter,
          "A PEFT adapter (LoRA) of the model, added to its weights: a folder with adapter_config.json. A model "
          "that is an adapter itself is read over its base model")
      ->type_name("DIR");
}

std::filesystem::path model_folder(const std::filesystem::path& model) {
  std::error_code none;
  if (std::filesystem::exists(model, none) || !looks_like_hub_name(model.string())) return model;
  return resolve_model(model.string());
}

std::filesystem::path model_folder(const std::filesystem::path& model, std::filesystem::path& adapter) {
  const std::filesystem::path folder = model_folder(model);
  if (!is_adapter_folder(folder)) {
    if (!adapter.empty()) adapter = model_folder(adapter);
    return folder;
  }
  if (!adapter.empty()) {
    throw UserError(
        fmt::format("--adapter {}: the model {} is an adapter itself, and one is not added to another; merge "
                    "it first (sgpt convert --merge_adapter)",
                    adapter.string(), folder.string()));
  }
  adapter = folder;
  if (const auto base = local_base(folder)) return *base;
  const std::string base = read_lora_config(folder).base;
  return looks_like_hub_name(base) ? resolve_model(base) : folder;  // what is missing its reader will say
}

}  // namespace sgpt::cli
