// Mistral (arXiv 2310.06825): Llama's layout; where sliding_window is a number, every layer has that window.
#include <nlohmann/json.hpp>

#include "model/families/llama_layout.h"

namespace sgpt {
namespace {

Architecture make(const Sizes& sizes) { return llama_layout::make(kMistral, sizes); }

Architecture read(const JsonFile& config) {
  Architecture mistral = llama_layout::read(config, kMistral);
  if (config.integer("sliding_window")) {
    llama_layout::set_windows(config, std::vector<bool>(static_cast<std::size_t>(mistral.layers), true), mistral);
  }
  return mistral;
}

void write(const Architecture& mistral, nlohmann::ordered_json& config) {
  llama_layout::write(mistral, config);
  config["sliding_window"] = nullptr;
  if (!mistral.windows.empty()) config["sliding_window"] = mistral.windows.front();
}

}  // namespace

constinit const Family kMistral{"mistral", "Mistral",       "MistralModel", llama_layout::kRoles, make, read,
                                write,     {.tied = false}, "layers."};

}  // namespace sgpt
