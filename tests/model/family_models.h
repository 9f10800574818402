// Tiny random models of every family, written by the tables of the families.
#pragma once

#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/architecture.h"
#include "model/parameters.h"
#include "model/safetensors.h"
#include "tiny_model.h"

namespace sgpt::testing {

inline const std::vector<std::string>& family_names() {
  static const std::vector<std::string> names{"bloom",   "gpt2",  "gpt_neo", "gptj",       "llama",
                                              "mistral", "qwen2", "qwen3",   "gemma3_text"};
  return names;
}

/// The families, and some of them with attention both ways.
inline std::vector<std::string> decoder_names() {
  std::vector<std::string> names = family_names();
  for (const char* name : {"gpt_neo_both_ways", "qwen2_both_ways", "gemma3_text_both_ways"}) names.emplace_back(name);
  return names;
}

/// The sizes of a tiny model of one of the decoder_names, with a window that its texts are longer than.
inline Architecture tiny_architecture(const std::string& name, std::int64_t hidden, std::int64_t layers,
                                      std::int64_t heads) {
  const std::string family = name.substr(0, name.find("_both_ways"));
  Architecture a = make_architecture(family, {hidden, layers, heads, tiny_vocabulary(), 64});
  const bool windows_of_layers = family == "qwen2" || family == "qwen3" || family == "gemma3_text";
  if (family == "mistral" || windows_of_layers) a.windows.assign(static_cast<std::size_t>(layers), 3);
  if (windows_of_layers && layers > 1) a.windows.back() = 0;
  for (std::int64_t& window : a.windows) window = window > 0 ? 3 : 0;
  if (family != name) set_causal(a, false);
  return a;
}

/// A plain checkpoint, wide enough values that every part of the model matters. Returns the folder.
inline std::filesystem::path write_family_model(const std::filesystem::path& folder, const Architecture& architecture) {
  std::filesystem::create_directories(folder);
  nlohmann::ordered_json config{{"model_type", architecture.family->model_type}};
  architecture.family->write(architecture, config);
  if (config.contains("window_size")) config["window_size"] = 3;
  if (!architecture.causal) config["is_causal"] = false;
  std::ofstream(folder / "config.json") << config.dump();
  std::mt19937 random(1);
  std::vector<std::unique_ptr<std::vector<float>>> values;
  std::vector<TensorToWrite> tensors;
  for (const ParameterInfo& info : decoder_parameters(architecture)) {
    values.push_back(std::make_unique<std::vector<float>>(static_cast<std::size_t>(info.rows * info.cols)));
    const bool gain = info.kind == ParameterKind::vector && !info.bias;
    const float width = info.kind == ParameterKind::embedding ? 1.0f : gain ? 0.3f : 0.2f;
    for (float& value : *values.back()) {
      value =
          (gain ? 1.0f - architecture.norm_plus : 0.0f) + width * (static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f);
    }
    tensors.push_back({info.name, DType::f32, info.shape(), std::as_bytes(std::span(*values.back())), {}});
  }
  write_safetensors(folder / "model.safetensors", tensors);
  write_tiny_tokenizer(folder / "tokenizer.json");
  return folder;
}

}  // namespace sgpt::testing
