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
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".json" && extension != ".safetensors" && extension != ".bin") continue;
    files.push_back(fmt::format("{}:{}:{}", entry.path().filename().string(), entry.file_size(none),
                                entry.last_write_time(none).time_since_epoch().count()));
  }
  std::sort(files.begin(), files.end());
  return fmt::format("{} {}", std::filesystem::weakly_canonical(folder, none).string(), fmt::join(files, " "));
}

std::string embedding_options(const Encoder& encoder) {
  const EncoderOptions& options = encoder.options();
  std::vector<std::string_view> pooling;
  for (const PoolingMode mode : options.pooling) pooling.push_back(name_of(mode));
  return fmt::format("brackets={} max_seq_length={} pooling={} normalize={} backend={}", *options.brackets,
                     *options.max_seq_length, fmt::join(pooling, ","), *options.normalize, options.backend);
}

}  // namespace sgpt
