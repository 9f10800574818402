#include "model/convert.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/atomic_folder.h"
#include "base/filesystem.h"
#include "base/hub_path.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "formats/model_files.h"
#include "model/checkpoint.h"
#include "model/convert_tensor.h"
#include "model/describe.h"
#include "model/lora_adapter.h"
#include "model/model_folder.h"
#include "model/model_folder_writer.h"
#include "model/parameters.h"
#include "model/sharded_writer.h"
#include "sgpt/error.h"
#include "tensor/quantize.h"

namespace sgpt {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<WeightType, std::string_view>, 4> kTypes{
    {{WeightType::f32, "f32"}, {WeightType::f16, "f16"}, {WeightType::bf16, "bf16"}, {WeightType::int8, "int8"}}};

bool is_number(DType type) {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::f64;
}

/// The type of all that int8 does not quantize: as it is, but for f64, which nothing computes with.
DType target_type(WeightType type, DType source) {
  switch (type) {
    case WeightType::f32: return DType::f32;
    case WeightType::f16: return DType::f16;
    case WeightType::bf16: return DType::bf16;
    case WeightType::int8: return source == DType::f64 ? DType::f32 : source;
  }
  return source;
}

/// The name that transformers gives to a type in config.json.
const char* torch_name(DType type) {
  switch (type) {
    case DType::f16: return "float16";
    case DType::bf16: return "bfloat16";
    default: return "float32";
  }
}

/// What becomes of every tensor.
class Plan {
 public:
  Plan(const Checkpoint& checkpoint, const Architecture& config, WeightType type) : type_(type) {
    std::unordered_map<std::string, ParameterInfo> matrices;
    std::unordered_set<std::string> needed;
    for (const ParameterInfo& parameter : decoder_parameters(config)) {
      const CheckpointTensor* tensor = checkpoint.find(parameter.name);
      if (tensor && tensor->type == DType::i8) {
        throw UserError(
            fmt::format("{}: the weights are 8-bit integers already; convert the model that they were made from",
                        checkpoint.folder().string()));
      }
      if (parameter.kind == ParameterKind::matrix) matrices.emplace(parameter.name, parameter);
      needed.insert(parameter.name);
    }
    for (const CheckpointTensor& tensor : checkpoint.foreign()) {
      log::info(
          fmt::format("{}: tensor {}, {}, is left out", tensor.file.string(), shown(tensor.name), tensor.foreign));
    }
    std::set<const std::byte*> seen;
    for (const CheckpointTensor& tensor : checkpoint.tensors()) {
      // An lm_head that shares the embedding's memory, as torch.save keeps it, is not written a second time.
      const bool again = !tensor.bytes.empty() && !seen.insert(tensor.bytes.data()).second;
      if (again && !needed.contains(tensor.name)) continue;
      const auto matrix = matrices.find(tensor.name);
      add(tensor, matrix == matrices.end() ? nullptr : &matrix->second);
    }
  }

  std::span<const TensorToWrite> tensors() const { return tensors_; }
  std::uint64_t bytes_to_read() const { return to_read_; }
  std::uint64_t bytes_to_write() const {
    std::uint64_t sum = 0;
    for (const TensorToWrite& tensor : tensors_) sum += bytes_of(tensor);
    return sum;
  }

  /// Told after every piece.
  void on_progress(std::function<void(std::uint64_t, std::uint64_t)> told) { told_ = std::move(told); }

 private:
  /// `matrix`: null where it is none of the model's.
  void add(const CheckpointTensor& tensor, const ParameterInfo* matrix) {
    const BytesRead read = [this](std::uint64_t bytes) {
      read_ += bytes;
      if (told_) told_(std::min(read_, to_read_), to_read_);
    };
    const auto write = [&](TensorToWrite made) {
      made.name = tensor.prefix + made.name;
      tensors_.push_back(std::move(made));
      to_read_ += tensor.bytes.size();
    };
    if (!is_number(tensor.type)) {
      write(copied(tensor, read));
    } else if (matrix && matrix->transposed && type_ == WeightType::int8) {
      write(transposed_quantized_values(tensor, read));
      write(transposed_quantized_scales(tensor, read));
    } else if (matrix && type_ == WeightType::int8) {
      write(quantized_values(tensor, read));
      write(quantized_scales(tensor, read));
    } else {
      write(converted(tensor, target_type(type_, tensor.type), read));
    }
  }

  WeightType type_;
  std::vector<TensorToWrite> tensors_;
  std::uint64_t to_read_ = 0;
  std::uint64_t read_ = 0;
  std::function<void(std::uint64_t, std::uint64_t)> told_;
};

/// Whether a file belongs to a model beside its weights: configurations, tokenizer, card, licence.
bool carried_over(const fs::path& file) {
  static constexpr std::array<std::string_view, 5> kKinds{".json", ".txt", ".md", ".model", ".jinja"};
  const std::string name = file.filename().string();
  if (name.ends_with(".index.json") || name == kAdapterFile) return false;
  if (name.starts_with("LICENSE")) return true;
  return std::find(kKinds.begin(), kKinds.end(), file.extension().string()) != kKinds.end();
}

void carry_over_files(const fs::path& source, const fs::path& target) {
  for (const fs::path& file : files::entries(source)) {
    if (!carried_over(file) || !present(file) || !files::is_regular(file)) continue;
    write_file(target / file.filename(), MappedFile(file).text());
  }
}

void carry_over_file(const fs::path& source, std::string_view name, const fs::path& target) {
  if (present(source / name)) write_file(target / name, MappedFile(source / name).text());
}

void carry_over_tokenizer(const fs::path& source, const fs::path& target) {
  for (const auto name : kTokenizerFiles) carry_over_file(source, name, target);
  for (const auto name : kOlderTokenizerFiles) carry_over_file(source, name, target);
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    carry_over_file(source, name, target);
  }
}

/// The folders of the modules, as modules.json names them; for a plain checkpoint the folder itself.
std::set<fs::path> module_folders(const ModelFolder& model) {
  std::set<fs::path> folders{fs::path()};
  if (!model.has_modules) return folders;
  for (const ModuleEntry& module : read_modules_json(model.path / "modules.json")) folders.insert(module.path);
  return folders;
}

/// Says in config.json what libraries shall load the weights as.
void rewrite_config(const fs::path& path, WeightType type) {
  auto config = nlohmann::ordered_json::parse(MappedFile(path).text());
  if (type == WeightType::int8) {
    // Other libraries would take the integers for the weights: of a method that they do not know they say so.
    config["quantization_config"] = {
        {"quant_method", "sgpt"}, {"weights", "int8"}, {"inputs_a_scale", kQuantizationBlock}};
  } else {
    const char* name = torch_name(target_type(type, DType::f32));
    if (config.contains("dtype")) config["dtype"] = name;
    if (config.contains("torch_dtype") || !config.contains("dtype")) config["torch_dtype"] = name;
  }
  write_file(path, config.dump(2) + "\n");
}

void check_adapter(const ModelFolder& model, const ConvertOptions& options) {
  if (!model.adapter.empty() && !options.merge_adapter) {
    throw UserError(
        fmt::format("{}: an adapter is converted by adding it to the weights of its base model: say so with "
                    "--merge_adapter",
                    model.adapter.string()));
  }
  if (model.adapter.empty() && options.merge_adapter) {
    throw UserError(fmt::format("--merge_adapter: {} is no adapter; name one with --adapter", model.path.string()));
  }
}

void require_room(const fs::path& target, std::uint64_t bytes) {
  std::error_code unknown;
  const fs::space_info space = fs::space(target, unknown);
  if (unknown || space.available >= bytes) return;
  throw MachineError(fmt::format("{}: the weights take {:.1f} GB, but the disk has only {:.1f} GB free",
                                 target.string(), static_cast<double>(bytes) / 1e9,
                                 static_cast<double>(space.available) / 1e9));
}

}  // namespace

std::string_view name_of(WeightType type) {
  return std::find_if(kTypes.begin(), kTypes.end(), [type](const auto& known) { return known.first == type; })->second;
}

std::optional<WeightType> weight_type_from(std::string_view name) {
  for (const auto& [type, known] : kTypes) {
    if (name == known) return type;
  }
  return std::nullopt;
}

ConvertResult convert_model(const fs::path& source, const fs::path& target, const ConvertOptions& options) {
  require_new_folder(target);
  const ModelFolder model = read_model_folder(source, options.adapter);
  check_adapter(model, options);
  const Checkpoint checkpoint = open_weights(model);
  Plan plan(checkpoint, model.config, options.type);
  plan.on_progress(options.on_progress);

  AtomicFolder folder(target);
  require_room(folder.path(), plan.bytes_to_write());
  // The modules are those of an adapter's own folder, where it has any: the base model's weights then lie at its root.
  const bool modules_of_adapter = model.path == model.adapter;
  const fs::path transformer =
      modules_of_adapter ? folder.path() : folder.path() / model.transformer.lexically_relative(model.path);
  for (const fs::path& module : module_folders(model)) {
    files::make_folders(folder.path() / module);
    if (files::is_folder(model.path / module)) carry_over_files(model.path / module, folder.path() / module);
  }
  for (const HeadModule& module : model.head) {
    if (module.dense) copy_dense(module.folder, folder.path() / module.folder.lexically_relative(model.path));
  }
  if (modules_of_adapter) carry_over_file(model.transformer, "config.json", transformer);
  if (!model.adapter.empty()) carry_over_tokenizer(model.tokenizer, transformer);
  rewrite_config(transformer / "config.json", options.type);
  ConvertResult result;
  result.tensors = plan.tensors().size();
  result.bytes = plan.bytes_to_write();
  result.files = write_sharded(transformer, plan.tensors(), options.shard_bytes).size();
  folder.commit();
  return result;
}

}  // namespace sgpt
