#include "model/lora_adapter.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/hub_path.h"
#include "base/mapped_file.h"
#include "formats/model_files.h"
#include "model/describe.h"
#include "model/family.h"
#include "model/lora_config.h"
#include "model/safetensors.h"
#include "model/torch_archive.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kFiles{kAdapterWeights, kOlderAdapterWeights};

/// The model that was wrapped, and what a causal model puts before the names of the one within it.
constexpr std::string_view kWrapped = "base_model.model.";
constexpr std::array<std::string_view, 2> kPrefixes{"model.", "transformer."};

/// What a tensor's name says.
struct TensorName {
  std::string path;  // of its module, as the file has it
  LoraPart part = LoraPart::none;
  bool embedding = false;
};

/// MODULE.lora_A.weight, MODULE.lora_embedding_A; the adapter's own name may stand behind:
/// MODULE.lora_A.default.weight.
std::optional<TensorName> parse(std::string_view name) {
  constexpr std::string_view kLora = ".lora_", kEmbedding = "embedding_";
  constexpr std::array<std::string_view, 4> kEnds{".weight", "", ".default.weight", ".default"};
  if (name.starts_with(kWrapped)) name.remove_prefix(kWrapped.size());
  const std::size_t place = name.find(kLora);
  if (place == name.npos) return std::nullopt;
  TensorName result;
  result.path = name.substr(0, place);
  std::string_view rest = name.substr(place + kLora.size());
  result.embedding = rest.starts_with(kEmbedding);
  if (result.embedding) rest.remove_prefix(kEmbedding.size());
  if (rest.empty() || (rest[0] != 'A' && rest[0] != 'B')) return std::nullopt;
  result.part = rest[0] == 'A' ? LoraPart::a : LoraPart::b;
  if (std::find(kEnds.begin(), kEnds.end(), rest.substr(1)) == kEnds.end()) return std::nullopt;
  return result;
}

/// A module's name as checkpoints have it.
std::string without_prefix(const std::string& path) {
  for (const std::string_view prefix : kPrefixes) {
    if (path.starts_with(prefix)) return path.substr(prefix.size());
  }
  return path;
}

float float_of(const std::byte* bytes, DType type) {
  std::uint16_t half = 0;
  float value = 0;
  if (type == DType::f32) {
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  std::memcpy(&half, bytes, sizeof half);
  return type == DType::f16 ? float_from_f16(half) : float_from_bf16(half);
}

void store(float value, DType type, std::byte* bytes) {
  if (type == DType::f32) {
    std::memcpy(bytes, &value, sizeof value);
    return;
  }
  const std::uint16_t half = type == DType::f16 ? f16_from_float(value) : bf16_from_float(value);
  std::memcpy(bytes, &half, sizeof half);
}

bool is_floating(DType type) { return type == DType::f32 || type == DType::f16 || type == DType::bf16; }

/// A small matrix, f32.
struct Small {
  std::int64_t rows = 0, cols = 0;
  std::vector<float> values;

  const float* row(std::int64_t i) const { return values.data() + i * cols; }
  Small transposed() const {
    Small result{cols, rows, std::vector<float>(values.size())};
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) result.values[static_cast<std::size_t>(j * rows + i)] = row(i)[j];
    }
    return result;
  }
};

Small small_of(const CheckpointTensor& tensor) {
  Small result{tensor.shape[0], tensor.shape[1], {}};
  result.values.resize(static_cast<std::size_t>(result.rows * result.cols));
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    result.values[i] = float_of(tensor.bytes.data() + i * size_of(tensor.type), tensor.type);
  }
  return result;
}

/// to = W + scale · left right, in the type of W; W [rows,cols], left [rows,r], right [r,cols].
void add_product(const CheckpointTensor& w, const Small& left, const Small& right, float scale, std::byte* to) {
  const std::int64_t cols = right.cols;
  const std::size_t width = size_of(w.type);
#pragma omp parallel
  {
    std::vector<float> sums(static_cast<std::size_t>(cols));
#pragma omp for schedule(static)
    for (std::int64_t row = 0; row < left.rows; ++row) {
      std::ranges::fill(sums, 0.0f);
      for (std::int64_t k = 0; k < left.cols; ++k) {
        const float factor = left.row(row)[k];
        const float* from = right.row(k);
        for (std::int64_t i = 0; i < cols; ++i) sums[static_cast<std::size_t>(i)] += factor * from[i];
      }
      const std::size_t begin = static_cast<std::size_t>(row * cols) * width;
      for (std::size_t i = 0; i < sums.size(); ++i) {
        const std::size_t place = begin + i * width;
        store(float_of(w.bytes.data() + place, w.type) + scale * sums[i], w.type, to + place);
      }
    }
  }
}

/// Both parts of an adapted module.
struct Adapted {
  std::string path;  // as the file has it
  CheckpointTensor a, b;
  bool embedding = false;
  std::int64_t rank() const { return a.shape[0]; }
};

}  // namespace

struct LoraAdapter::Content {
  fs::path folder;
  LoraConfig config;
  MappedFile file;
  std::map<std::string, Adapted> modules;  // by their names in checkpoints

  void add(CheckpointTensor tensor) {
    const auto name = parse(tensor.name);
    if (!name) {
      throw UserError(
          fmt::format("{}: tensor {}: expected the parts of a LoRA alone, MODULE.lora_A.weight and "
                      "MODULE.lora_B.weight",
                      file.path().string(), shown(tensor.name)));
    }
    if (!tensor.foreign.empty() || !is_floating(tensor.type) || tensor.shape.size() != 2) {
      throw UserError(fmt::format("{}: tensor {}: expected a matrix of f32, f16 or bf16, found {} of the shape {}",
                                  file.path().string(), shown(tensor.name),
                                  tensor.foreign.empty() ? std::string(name_of(tensor.type)) : tensor.foreign,
                                  shown_shape(tensor.shape)));
    }
    Adapted& module = modules[without_prefix(name->path)];
    module.path = name->path;
    module.embedding = name->embedding;
    CheckpointTensor& part = name->part == LoraPart::a ? module.a : module.b;
    if (!part.name.empty()) {
      throw UserError(fmt::format("{}: tensor {}: {} is there already, under another name", file.path().string(),
                                  shown(tensor.name), shown(part.name)));
    }
    part = std::move(tensor);
  }

  void require_whole() const {
    for (const auto& [name, module] : modules) {
      const bool whole = !module.a.name.empty() && !module.b.name.empty();
      if (whole && module.a.shape[0] == module.b.shape[1] && module.rank() > 0) continue;
      throw UserError(fmt::format(
          "{}: module {}: expected lora_A [r, in] and lora_B [out, r], found {}", file.path().string(), shown(name),
          whole ? fmt::format("{} and {}", shown_shape(module.a.shape), shown_shape(module.b.shape))
                : std::string("one of them alone")));
    }
  }

  double scale_of(const Adapted& module) const {
    Lora lora;
    lora.rank_stabilised = config.rank_stabilised;
    return lora.scale({.module = module.path, .rank = module.rank(), .alpha = config.alpha_of(module.path)});
  }
};

LoraAdapter LoraAdapter::open(const fs::path& folder) {
  auto content = std::make_shared<Content>();
  content->folder = folder;
  content->config = read_lora_config(folder);
  const auto name = std::find_if(kFiles.begin(), kFiles.end(), [&](const auto file) { return present(folder / file); });
  if (name == kFiles.end()) {
    throw UserError(
        fmt::format("{}: the adapter has no weights: expected {} or {}", folder.string(), kFiles[0], kFiles[1]));
  }
  const fs::path path = folder / *name;
  content->file = MappedFile(path);
  const auto bytes = content->file.bytes();
  for (CheckpointTensor& tensor :
       path.extension() == ".safetensors" ? read_safetensors(bytes, path) : read_torch_archive(bytes, path)) {
    content->add(std::move(tensor));
  }
  content->require_whole();
  if (content->modules.empty()) throw UserError(fmt::format("{}: the adapter has no tensors", path.string()));
  return LoraAdapter(std::move(content));
}

void LoraAdapter::merge_into(Checkpoint& weights, const Architecture& architecture) const {
  std::map<std::string, bool> transposed;
  for (const ParameterInfo& info : decoder_parameters(architecture)) transposed.emplace(info.name, info.transposed);
  for (const auto& [name, module] : content_->modules) {
    const std::string matrix = name + ".weight";
    const CheckpointTensor* w = weights.find(matrix);
    if (!w) {
      throw UserError(fmt::format("{}: the adapter is for {}, which {} does not have: it belongs to another model",
                                  content_->file.path().string(), shown(matrix), model_shown(weights.folder())));
    }
    if (!is_floating(w->type)) {
      throw UserError(
          fmt::format("{}: tensor {} is of {}: an adapter is added to weights of f32, f16 or bf16; take the "
                      "model that they were made from",
                      w->file.string(), shown(matrix), name_of(w->type)));
    }
    // An embedding is looked up by its rows, and a Conv1D lies the other way: there Aᵀ Bᵀ is added.
    const bool turned = module.embedding || transposed[matrix];
    const Small a = small_of(module.a), b = small_of(module.b);
    const Small left = turned ? a.transposed() : b, right = turned ? b.transposed() : a;
    const std::vector<std::int64_t> shape{left.rows, right.cols};
    if (w->shape != shape) {
      throw UserError(fmt::format("{}: module {}: its parts are for a matrix {}, but in {} it is {}",
                                  content_->file.path().string(), shown(name), shown_shape(shape), w->file.string(),
                                  shown_shape(w->shape)));
    }
    auto merged = std::make_unique<std::byte[]>(w->bytes.size());
    add_product(*w, left, right, static_cast<float>(content_->scale_of(module)), merged.get());
    if (w->mapped) drop_pages(w->bytes);
    weights.replace(matrix, std::move(merged));
  }
}

Lora LoraAdapter::lora(const Architecture& architecture) const {
  Lora lora;
  lora.rank_stabilised = content_->config.rank_stabilised;
  std::map<std::string, ParameterInfo> matrices;
  for (ParameterInfo& info : decoder_parameters(architecture)) {
    if (info.kind == ParameterKind::matrix) matrices.emplace(info.name, std::move(info));
  }
  for (const auto& [name, module] : content_->modules) {
    const auto matrix = matrices.find(name + ".weight");
    const bool fits = matrix != matrices.end() && !module.embedding && module.a.shape[1] == matrix->second.cols &&
                      module.b.shape[0] == matrix->second.rows;
    if (!fits) {
      throw UserError(
          fmt::format("{}: module {} [{}, {}] is no matrix of a Linear of this {}: such an adapter can be "
                      "embedded with or merged, but not trained on",
                      content_->file.path().string(), shown(name), module.b.shape[0], module.a.shape[1],
                      architecture.family->name));
    }
    lora.modules.push_back({name, module.rank(), content_->config.alpha_of(module.path)});
  }
  lora.start = [content = content_](const ParameterInfo& info, std::span<float> values) {
    constexpr std::string_view kEnd = ".lora_A.weight";
    const Adapted& module = content->modules.at(info.name.substr(0, info.name.size() - kEnd.size()));
    const Small part = small_of(info.lora == LoraPart::a ? module.a : module.b);
    std::ranges::copy(part.values, values.begin());
  };
  return lora;
}

Checkpoint open_weights(const ModelFolder& folder) {
  Checkpoint weights = Checkpoint::open(folder.transformer);
  if (!folder.adapter.empty()) LoraAdapter::open(folder.adapter).merge_into(weights, folder.config);
  return weights;
}

}  // namespace sgpt
