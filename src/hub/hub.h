// Model names as people know them: a folder, or ORG/NAME from a model hub, found in the local hub cache (laid out as
// huggingface_hub does, so that both programs share it) or downloaded into it.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace sgpt {

struct HubOptions {
  std::filesystem::path cache;                      ///< folder of models--ORG--NAME folders
  std::string endpoint = "https://huggingface.co";  ///< the hub, without a slash at the end
  std::string token;                                ///< sent to the endpoint alone; empty: none
  bool offline = false;                             ///< use what is in the cache, never the network
  bool update = false;  ///< ask the hub for the newest commit even when one is in the cache, and mend what is damaged
  int attempts = 5;     ///< in a row without a byte of progress, before giving up
  std::chrono::milliseconds retry_delay{1000};  ///< before the second attempt; twice as long each time
  std::chrono::seconds stall_limit{30};         ///< a connection that brings nothing for so long is broken off
};

/// As huggingface_hub reads the environment: HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HF_ENDPOINT, HF_TOKEN (or
/// HUGGING_FACE_HUB_TOKEN, or the file HF_TOKEN_PATH or HF_HOME/token) and HF_HUB_OFFLINE; "~", $NAME and ${NAME} in
/// paths are expanded.
HubOptions hub_options_from_environment();

/// The folder of a model: `name` itself where it is one; otherwise ORG/NAME or NAME, with @REVISION (branch, tag or
/// commit; by default main), from the cache or the hub. Downloads go on where an earlier one broke off, and every file
/// is checked against the hub's checksum. A model of which another program fetched just a part is completed; where the
/// hub can't be asked, a line says so. Several processes may ask at once. Throws UserError when there is no such
/// model, it needs a token, or it is not in the cache and `offline` is set; MachineError when network or disk fail.
std::filesystem::path resolve_model(const std::string& name, const HubOptions& options);

/// With the options of the environment.
std::filesystem::path resolve_model(const std::string& name);

}  // namespace sgpt
