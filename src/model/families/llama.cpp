// Llama (arXiv 2302.13971), 2 and 3: the layout itself, without windows.
#include <nlohmann/json.hpp>

#include "model/families/llama_layout.h"

namespace sgpt {
namespace {

Architecture make(const Sizes& sizes) { return llama_layout::make(kLlama, sizes); }

Architecture read(const JsonFile& config) { return llama_layout::read(config, kLlama); }

void write(const Architecture& llama, nlohmann::ordered_json& config) {
  llama_layout::write(llama, config);
  config.update({{"attention_bias", false}, {"mlp_bias", false}});
}

}  // namespace

constinit const Family kLlama{"llama", "Llama",         "LlamaModel", llama_layout::kRoles, make, read,
                              write,   {.tied = false}, "layers."};

}  // namespace sgpt
