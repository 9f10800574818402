#include "cli/model_option.h"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "hub/hub.h"

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

std::filesystem::path model_folder(const std::filesystem::path& model) {
  std::error_code none;
  if (std::filesystem::exists(model, none) || !looks_like_hub_name(model.string())) return model;
  return resolve_model(model.string());
}

}  // namespace sgpt::cli
