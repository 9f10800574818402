#include "encode/model_identity.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xxhash.h>

#include "base/json_string.h"
#include "base/mapped_file.h"
#include "encode/encoder_parts.h"
#include "encode/prompts.h"

namespace sgpt {
namespace {

// Vectors, all that a training of biases changes, are taken whole; of a large matrix some pages, for all of them would
// be too much to read before a search.
constexpr std::size_t kTakenWhole = std::size_t{1} << 20;
constexpr std::size_t kSample = 4096;
constexpr std::size_t kSamples = 16;

class Checksum {
 public:
  Checksum() : state_(XXH3_createState(), XXH3_freeState) { XXH3_128bits_reset(state_.get()); }

  void add(std::span<const std::byte> bytes) { XXH3_128bits_update(state_.get(), bytes.data(), bytes.size()); }

  void add_samples(std::span<const std::byte> bytes) {
    if (bytes.size() <= kTakenWhole) return add(bytes);
    const std::size_t last = bytes.size() - kSample;
    for (std::size_t i = 0; i < kSamples; ++i) add(bytes.subspan(last / (kSamples - 1) * i, kSample));
  }

  std::string text() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

}  // namespace

std::string model_identity(const Encoder& encoder) {
  const Encoder::Parts& parts = encoder.parts();
  std::string result = model_identity(parts.folder, parts.checkpoint, encoder.options().trained);
  for (const HeadModule& module : parts.folder.head) {
    if (!module.dense) continue;
    result = fmt::format("{} {}", result, model_identity(module.folder, Checkpoint::open(module.folder)));
  }
  return result;
}

std::string model_identity(const ModelFolder& folder, const Checkpoint& checkpoint,
                           const std::filesystem::path& trained) {
  std::string result = model_identity(folder.transformer, checkpoint, trained);
  if (!folder.adapter.empty()) result = fmt::format("{} {}", result, model_identity(folder.adapter, Checkpoint()));
  return result;
}

std::string model_identity(const std::filesystem::path& folder, const Checkpoint& checkpoint,
                           const std::filesystem::path& trained) {
  std::error_code none;
  std::vector<std::filesystem::directory_entry> entries;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string extension = entry.path().extension().string();
    const bool of_model = extension == ".json" || extension == ".safetensors" || extension == ".bin";
    if (of_model && entry.is_regular_file(none)) entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end());

  std::string result = std::filesystem::weakly_canonical(folder, none).string();
  const auto add = [&](const std::filesystem::directory_entry& entry, const std::string& name) {
    result +=
        fmt::format(" {}:{}:{}", name, entry.file_size(none), entry.last_write_time(none).time_since_epoch().count());
  };
  Checksum content;  // files of one size and time may differ: those of archives that were packed with fixed times do
  for (const auto& entry : entries) {
    add(entry, entry.path().filename().string());
    if (entry.path().extension() == ".json") content.add(MappedFile(entry.path()).bytes());
  }
  if (!trained.empty()) {
    add(std::filesystem::directory_entry(trained, none), std::filesystem::weakly_canonical(trained, none).string());
  }
  for (const CheckpointTensor& tensor : checkpoint.tensors()) content.add_samples(tensor.bytes);
  return fmt::format("{} {}", result, content.text());
}

namespace {

/// Of the prompt before texts of a kind. Nothing where there is none: so it was before there were prompts, too.
std::string prompt_with(const Encoder& encoder, TextKind kind) {
  const TextPreparation& preparation = encoder.parts().preparation;
  const std::string& prompt = preparation.prompt(kind);
  if (prompt.empty()) return "";
  const bool skipped = preparation.skipped(kind) > 0;
  return fmt::format(" {}_prompt={}{}", name_of(kind), json_quoted(prompt), skipped ? " (not pooled)" : "");
}

/// Of a text's end, and of an embedding's.
std::string cuts_with(const Encoder& encoder) {
  std::string words = encoder.options().append_eos_token ? " append_eos_token=true" : "";
  if (!*encoder.options().causal) words += " attention=bidirectional";
  if (encoder.dimension() < encoder.parts().head.whole_dimension()) {
    words += fmt::format(" truncate_dim={}", encoder.dimension());
  }
  return words;
}

/// But for the prompts.
std::string options_with(const Encoder& encoder, ComputeType type) {
  const EncoderOptions& options = encoder.options();
  std::vector<std::string_view> pooling;
  for (const PoolingMode mode : options.pooling) pooling.push_back(name_of(mode));
  const std::string line =
      fmt::format("brackets={} max_seq_length={} pooling={} normalize={} backend={} compute={}", *options.brackets,
                  *options.max_seq_length, fmt::join(pooling, ","), *options.normalize, options.backend, name_of(type));
  return line + cuts_with(encoder);  // what is not as it always was has a word
}

}  // namespace

std::string embedding_options(const Encoder& encoder) {
  std::string line = options_with(encoder, *encoder.options().compute);
  for (const TextKind kind : {TextKind::query, TextKind::document, TextKind::plain}) line += prompt_with(encoder, kind);
  return line;
}

std::string chosen_options(const Encoder& encoder) {
  std::string words = cuts_with(encoder);
  for (const TextKind kind : {TextKind::query, TextKind::document}) words += prompt_with(encoder, kind);
  return words.empty() ? words : words.substr(1);
}

std::string embedding_key(const Encoder& encoder, TextKind kind, std::optional<ComputeType> type) {
  const ComputeType chosen = type.value_or(*encoder.options().compute);
  std::string key = options_with(encoder, chosen) + prompt_with(encoder, kind);
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
