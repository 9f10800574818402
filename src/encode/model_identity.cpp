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

namespace {

std::string options_with(const Encoder& encoder, ComputeType type) {
  const EncoderOptions& options = encoder.options();
  std::vector<std::string_view> pooling;
  for (const PoolingMode mode : options.pooling) pooling.push_back(name_of(mode));
  return fmt::format("brackets={} max_seq_length={} pooling={} normalize={} backend={} compute={}", *options.brackets,
                     *options.max_seq_length, fmt::join(pooling, ","), *options.normalize, options.backend,
                     name_of(type));
}

}  // namespace

std::string embedding_options(const Encoder& encoder) { return options_with(encoder, *encoder.options().compute); }

std::string embedding_key(const Encoder& encoder, std::optional<ComputeType> type) {
  const ComputeType chosen = type.value_or(*encoder.options().compute);
  std::string key = options_with(encoder, chosen);
  // f32 has one kernel, and all of int8 have the same bits.
  if (chosen == ComputeType::bf16) key += fmt::format(" kernel={}", encoder.parts().backend->kernel_name(chosen));
  return key;
}

std::optional<ComputeType> matching_type(const Encoder& encoder, const std::function<bool(ComputeType)>& matches) {
  const Encoder::Parts& parts = encoder.parts();
  const ComputeType own = *encoder.options().compute;
  if (matches(own)) return own;
  const DType stored = matrix_type(parts.checkpoint, parts.folder.config);
  if (stored != DType::bf16 && stored != DType::f16) return std::nullopt;  // there automatic is always the same
  for (const ComputeType type : {ComputeType::f32, ComputeType::bf16}) {
    if (parts.backend->computes(type) && matches(type)) return type;
  }
  return std::nullopt;
}

}  // namespace sgpt
