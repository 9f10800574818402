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

/// Adds --adapter.
CLI::Option* add_adapter_option(CLI::App& command, std::filesystem::path& adapter);

/// The folder of what was given: itself, or for ORG/NAME (where no such path is here) the hub's model, from the local
/// cache or downloaded. Errors as resolve_model (hub/hub.h).
std::filesystem::path model_folder(const std::filesystem::path& model);

/// The same of a model and of the PEFT adapter that is added to it, if any. Where the model is such an adapter itself,
/// `adapter` becomes that, and its base model is given. Throws UserError when both are adapters.
std::filesystem::path model_folder(const std::filesystem::path& model, std::filesystem::path& adapter);

}  // namespace sgpt::cli
