// How every command is told its model: a folder, or a name on a model hub.
#pragma once

#include <filesystem>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sgpt::cli {

/// Adds the required option (or positional) `spelling`; `purpose` begins its help.
CLI::Option* add_model_option(CLI::App& command, const std::string& spelling, std::filesystem::path& model,
                              const std::string& purpose = "The model");

/// The folder of what was given: itself, or for ORG/NAME (where no such path is here) the hub's model, from the local
/// cache or downloaded. Errors as resolve_model (hub/hub.h).
std::filesystem::path model_folder(const std::filesystem::path& model);

}  // namespace sgpt::cli
