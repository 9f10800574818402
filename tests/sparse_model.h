// A model whose weights are large and cost nothing: the file's data is a hole, which reads as zeros.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "tiny_model.h"

namespace sgpt::testing {

/// A folder with the configuration of a BLOOM of that hidden size and, of its weights, the matrix
/// mlp.dense_h_to_4h of every layer, in f32. Not a whole model, but enough to be converted.
inline std::filesystem::path write_sparse_model(const std::filesystem::path& folder, std::int64_t hidden,
                                                std::int64_t layers) {
  write_tiny_model(folder, {.hidden = hidden, .layers = layers, .change = [](auto, auto& values) { values = {}; }});
  const std::uint64_t bytes = static_cast<std::uint64_t>(4 * hidden * hidden) * sizeof(float);
  std::string header = "{";
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const std::uint64_t begin = static_cast<std::uint64_t>(layer) * bytes;
    header.append(layer ? ",\"h." : "\"h.").append(std::to_string(layer));
    header.append(R"(.mlp.dense_h_to_4h.weight":{"dtype":"F32","shape":[)").append(std::to_string(4 * hidden));
    header.append(",").append(std::to_string(hidden)).append(R"(],"data_offsets":[)").append(std::to_string(begin));
    header.append(",").append(std::to_string(begin + bytes)).append("]}");
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();
  const std::filesystem::path file = folder / "model.safetensors";
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << header;
  out.close();
  std::filesystem::resize_file(file, sizeof length + length + static_cast<std::uint64_t>(layers) * bytes);
  return folder;
}

}  // namespace sgpt::testing
