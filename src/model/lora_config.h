// adapter_config.json of a PEFT adapter (LoRA): what is to be known of it beside its tensors, and the refusal by name
// of what sgpt does not compute.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/lora.h"

namespace sgpt {

struct LoraConfig {
  std::filesystem::path file;
  std::string base;  ///< base_model_name_or_path; may be empty
  double alpha = 8;
  double dropout = 0;  ///< in training
  bool rank_stabilised = false;
  std::vector<std::pair<std::string, double>> alpha_pattern;  ///< in the file's order

  /// Of a module as the adapter names it. The first pattern that fits counts.
  double alpha_of(std::string_view module) const;
};

/// Throws UserError, naming the key, when the file is missing or broken, or asks for what sgpt does not do.
LoraConfig read_lora_config(const std::filesystem::path& adapter);

/// Whether the folder is an adapter and no model.
bool is_adapter_folder(const std::filesystem::path& folder);

/// The folder of an adapter's base model, where there is one on this machine: its name as a path, seen from the working
/// directory or from the adapter's folder.
std::optional<std::filesystem::path> local_base(const std::filesystem::path& adapter);

/// adapter_config.json of what was trained over `base`, for PEFT and for read_lora_config.
std::string lora_config_json(const Lora& lora, const Architecture& architecture, const std::string& base);

}  // namespace sgpt
