// sgpt pull: fetches a model from a hub into the local hub cache and prints its folder.
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "hub/hub.h"
#include "sgpt/error.h"

namespace sgpt::cli {
namespace {

struct PullOptions {
  std::string name;
  std::string revision;
};

void pull(const PullOptions& options) {
  std::string name = options.name;
  if (!options.revision.empty()) {
    if (name.find('@') != name.npos) {
      throw UserError(
          fmt::format("{}: the name already says which revision, and --revision says '{}'; give one of both", name,
                      options.revision));
    }
    name += "@" + options.revision;
  }
  HubOptions hub = hub_options_from_environment();
  hub.update = true;
  fmt::print("{}\n", resolve_model(name, hub).string());
}

}  // namespace

void add_pull(CLI::App& app) {
  auto options = std::make_shared<PullOptions>();
  auto* command = app.add_subcommand("pull", "Download a model from a hub and print its folder");
  command->footer(
      "The model goes into the cache that it shares with huggingface_hub (HF_HUB_CACHE, by default "
      "~/.cache/huggingface/hub), where the other\ncommands find it by its name. A download that broke off goes on "
      "where\n"
      "it stopped; files that are there are compared with the hub's, and fetched again where they differ. HF_TOKEN is "
      "the token\nfor models that need one, HF_ENDPOINT another hub, HF_HUB_OFFLINE=1 forbids the network.");
  command->add_option("NAME", options->name, "ORG/NAME, or ORG/NAME@REVISION")->required()->type_name("");
  command
      ->add_option(names("--revision"), options->revision,
                   "Branch, tag or commit of the model. By default its main branch")
      ->type_name("NAME");
  command->callback([options] { pull(*options); });
}

}  // namespace sgpt::cli
