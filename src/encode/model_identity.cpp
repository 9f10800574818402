#include "encode/model_identity.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "encode/encoder_parts.h"

namespace sgpt {

std::string model_identity(const Encoder& encoder) {
  const std::filesystem::path& folder = encoder.parts().folder.transformer;
  std::error_code none;
  std::vector<std::string> files;
  const auto add = [&](const std::filesystem::directory_entry& entry, const std::string& name) {
    files.push_back(
        fmt::format("{}:{}:{}", name, entry.file_size(none), entry.last_write_time(none).time_since_epoch().count()));
  };
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".json" && extension != ".safetensors" && extension != ".bin") continue;
    add(entry, entry.path().filename().string());
  }
  std::sort(files.begin(), files.end());
  if (const auto& trained = encoder.options().trained; !trained.empty()) {
    add(std::filesystem::directory_entry(trained, none), std::filesystem::weakly_canonical(trained, none).string());
  }
  return fmt::format("{} {}", std::filesystem::weakly_canonical(folder, none).string(), fmt::join(files, " "));
}

std::string embedding_options(const Encoder& encoder) {
  const EncoderOptions& options = encoder.options();
  std::vector<std::string_view> pooling;
  for (const PoolingMode mode : options.pooling) pooling.push_back(name_of(mode));
  return fmt::format("brackets={} max_seq_length={} pooling={} normalize={} backend={} compute={}", *options.brackets,
                     *options.max_seq_length, fmt::join(pooling, ","), *options.normalize, options.backend,
                     name_of(*options.compute));
}

}  // namespace sgpt
