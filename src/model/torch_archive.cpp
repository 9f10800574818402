#include "model/torch_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "model/describe.h"
#include "model/pickle.h"
#include "model/zip_archive.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

using Entries = std::unordered_map<std::string, std::span<const std::byte>>;

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kTypedTensor = "torch._utils._rebuild_tensor_v3";  // of the younger element types
constexpr std::string_view kQuantizedTensor = "torch._utils._rebuild_qtensor";
constexpr std::string_view kParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kStorageObject = "storage";
constexpr std::string_view kTensorObject = "tensor";
constexpr std::size_t kMostDimensions = 64;  // PyTorch's own limit

/// A class of storages: what its elements are, as far as sgpt has a word for it, and their bytes.
struct StorageClass {
  std::optional<DType> type;
  std::size_t width;
};

std::optional<StorageClass> storage_class(std::string_view global) {
  static constexpr std::pair<std::string_view, DType> kStorages[] = {
      {"torch.FloatStorage", DType::f32},   {"torch.HalfStorage", DType::f16}, {"torch.BFloat16Storage", DType::bf16},
      {"torch.DoubleStorage", DType::f64},  {"torch.LongStorage", DType::i64}, {"torch.IntStorage", DType::i32},
      {"torch.ShortStorage", DType::i16},   {"torch.CharStorage", DType::i8},  {"torch.ByteStorage", DType::u8},
      {"torch.BoolStorage", DType::boolean}};
  static constexpr std::pair<std::string_view, std::size_t> kForeign[] = {
      {"torch.ComplexFloatStorage", 8}, {"torch.ComplexDoubleStorage", 16}, {"torch.QInt8Storage", 1},
      {"torch.QUInt8Storage", 1},       {"torch.QInt32Storage", 4},         {"torch.QUInt4x2Storage", 1},
      {"torch.QUInt2x4Storage", 1},     {"torch.storage.UntypedStorage", 1}};
  for (const auto& [known, type] : kStorages) {
    if (global == known) return StorageClass{type, size_of(type)};
  }
  for (const auto& [known, width] : kForeign) {
    if (global == known) return StorageClass{std::nullopt, width};
  }
  return std::nullopt;
}

/// What a tensor may name beside its storage: an element type ("torch.float8_e4m3fn"), how it is quantized.
bool is_type_word(std::string_view global) {
  static constexpr std::string_view kBegins[] = {"torch.float", "torch.uint",    "torch.int",  "torch.quint",
                                                 "torch.qint",  "torch.complex", "torch.bits", "torch.per_"};
  const auto is_plain = [](unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return std::any_of(std::begin(kBegins), std::end(kBegins), [&](auto begin) { return global.starts_with(begin); }) &&
         std::all_of(global.begin() + std::string_view("torch.").size(), global.end(), is_plain);
}

/// Knows the globals of a dict of tensors; storages and tensors are objects with a number in its tables.
class TensorReader final : public PickleReader {
 public:
  TensorReader(const Entries& entries, std::string prefix) : entries_(entries), prefix_(std::move(prefix)) {}

  bool knows(std::string_view global) const override {
    return global == kOrderedDict || global == kTensor || global == kTypedTensor || global == kQuantizedTensor ||
           global == kParameter || storage_class(global) || is_type_word(global);
  }

  PickleValue call(PickleMachine& machine, std::string_view global, std::span<const PickleValue> arguments) override {
    if (global == kOrderedDict && arguments.empty()) return machine.make(PickleKind::dict);
    if (global == kTensor) return tensor(machine, arguments);
    if (global == kTypedTensor) return typed_tensor(machine, arguments);
    if (global == kQuantizedTensor) return add_foreign(machine, "numbers that PyTorch quantized");
    if (global == kParameter && arguments.size() == 3 && is_object(arguments[0], kTensorObject)) return arguments[0];
    machine.fail(fmt::format("a call of {} with {} arguments is refused", global, arguments.size()));
  }

  /// ("storage", class, key, device, number of elements)
  PickleValue persistent(PickleMachine& machine, const PickleValue& id) override {
    const PickleNode* tuple = node_of(id, PickleKind::tuple);
    if (!tuple || tuple->items.size() != 5) machine.fail("a persistent id is no storage");
    const PickleNode* word = node_of(tuple->items[0], PickleKind::text);
    const PickleNode* global = node_of(tuple->items[1], PickleKind::global);
    const PickleNode* key = node_of(tuple->items[2], PickleKind::text);
    const auto* elements = std::get_if<std::int64_t>(&tuple->items[4]);
    if (!word || word->text != "storage" || !global || !key || !elements) machine.fail("a persistent id is no storage");
    const std::optional<StorageClass> kind = storage_class(global->text);
    if (!kind) machine.fail(fmt::format("{} is no storage", shown(std::string_view(global->text))));
    const auto entry = entries_.find(prefix_ + "data/" + key->text);
    if (entry == entries_.end()) {
      machine.fail(fmt::format("the archive has no storage {}", shown(std::string_view(key->text))));
    }
    const std::size_t size = entry->second.size();
    if (*elements < 0 || size % kind->width != 0 || static_cast<std::uint64_t>(*elements) != size / kind->width) {
      machine.fail(fmt::format("storage {} should have {} elements of {} bytes, but has {} bytes",
                               shown(std::string_view(key->text)), *elements, kind->width, size));
    }
    storages_.push_back({*kind, global->text, *elements, entry->second});
    return machine.make(PickleKind::object, std::string(kStorageObject), storages_.size() - 1);
  }

  /// The tensor behind a value, or null.
  const CheckpointTensor* tensor_of(const PickleValue& value) const {
    return is_object(value, kTensorObject) ? &tensors_[node_of(value, PickleKind::object)->object] : nullptr;
  }

 private:
  struct Storage {
    StorageClass kind;
    std::string name;
    std::int64_t elements;
    std::span<const std::byte> bytes;
  };

  static bool is_object(const PickleValue& value, std::string_view what) {
    const PickleNode* node = node_of(value, PickleKind::object);
    return node && node->text == what;
  }

  static std::vector<std::int64_t> integers(PickleMachine& machine, const PickleValue& value) {
    const PickleNode* tuple = node_of(value, PickleKind::tuple);
    if (!tuple) machine.fail(fmt::format("a tensor's shape: expected a tuple, found {}", shown(value)));
    if (tuple->items.size() > kMostDimensions) machine.fail("a tensor has too many dimensions");
    std::vector<std::int64_t> result;
    for (const PickleValue& item : tuple->items) {
      const auto* integer = std::get_if<std::int64_t>(&item);
      if (!integer) machine.fail(fmt::format("a tensor's shape: expected an integer, found {}", shown(item)));
      result.push_back(*integer);
    }
    return result;
  }

  static bool contiguous(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) {
    std::int64_t expected = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
      if (shape[i] != 1 && strides[i] != expected) return false;
      expected *= shape[i];
    }
    return true;
  }

  PickleValue add(PickleMachine& machine, CheckpointTensor tensor) {
    tensors_.push_back(std::move(tensor));
    return machine.make(PickleKind::object, std::string(kTensorObject), tensors_.size() - 1);
  }

  /// A tensor that nothing can be done with; harmless as long as nobody asks for it.
  PickleValue add_foreign(PickleMachine& machine, std::string what) {
    CheckpointTensor tensor;
    tensor.foreign = std::move(what);
    return add(machine, std::move(tensor));
  }

  /// (storage, offset, shape, strides, requires_grad, backward_hooks, element type[, metadata])
  PickleValue typed_tensor(PickleMachine& machine, std::span<const PickleValue> arguments) {
    const PickleNode* type = arguments.size() > 6 ? node_of(arguments[6], PickleKind::global) : nullptr;
    if (!type) machine.fail("a tensor is not built from a storage as torch.save does");
    return add_foreign(machine, fmt::format("the element type {}", shown(std::string_view(type->text))));
  }

  /// (storage, offset, shape, strides, requires_grad, backward_hooks[, metadata])
  PickleValue tensor(PickleMachine& machine, std::span<const PickleValue> arguments) {
    if (arguments.size() < 6 || arguments.size() > 7 || !is_object(arguments[0], kStorageObject)) {
      machine.fail("a tensor is not built from a storage as torch.save does");
    }
    const Storage& storage = storages_[node_of(arguments[0], PickleKind::object)->object];
    const auto* offset = std::get_if<std::int64_t>(&arguments[1]);
    CheckpointTensor result;
    if (!storage.kind.type) {
      return add_foreign(machine, fmt::format("the element type of a {}", storage.name));
    }
    result.type = *storage.kind.type;
    result.shape = integers(machine, arguments[2]);
    const std::vector<std::int64_t> strides = integers(machine, arguments[3]);
    const std::optional<std::int64_t> elements = element_count(result.shape);
    const std::string shape = shown_shape(result.shape);
    if (!offset || !elements || strides.size() != result.shape.size()) {
      machine.fail(fmt::format("a tensor has a broken shape {}, strides {} or offset", shape, shown_shape(strides)));
    }
    if (*elements > 0 && !contiguous(result.shape, strides)) {
      return add_foreign(machine, fmt::format("a view of shape {} with the strides {}, which is not contiguous; save "
                                              "tensor.contiguous()",
                                              shape, shown_shape(strides)));
    }
    if (*offset < 0 || *offset > storage.elements || *elements > storage.elements - *offset) {
      machine.fail(fmt::format("a tensor of shape {} from element {} on does not fit into its storage of {}", shape,
                               *offset, storage.elements));
    }
    const std::size_t width = storage.kind.width;
    result.bytes =
        storage.bytes.subspan(static_cast<std::size_t>(*offset) * width, static_cast<std::size_t>(*elements) * width);
    return add(machine, std::move(result));
  }

  const Entries& entries_;
  std::string prefix_;
  std::vector<Storage> storages_;
  std::vector<CheckpointTensor> tensors_;
};

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view problem) {
  throw UserError(fmt::format("{}: {}", path.string(), problem));
}

/// What every entry's name begins with: the archive's own name.
std::string find_prefix(const Entries& entries, const std::filesystem::path& path) {
  static constexpr std::string_view kPickle = "data.pkl";
  std::optional<std::string> prefix;
  for (const auto& [name, content] : entries) {
    const bool pickle = name.ends_with(kPickle) && (name == kPickle || name[name.size() - kPickle.size() - 1] == '/');
    if (!pickle) continue;
    if (prefix) fail(path, "the archive has two entries data.pkl: it was not written by torch.save");
    prefix = name.substr(0, name.size() - kPickle.size());
  }
  if (!prefix) fail(path, "the archive has no entry data.pkl: it was not written by torch.save");
  return *prefix;
}

void check_byte_order(const Entries& entries, const std::string& prefix, const std::filesystem::path& path) {
  const auto found = entries.find(prefix + "byteorder");
  if (found == entries.end()) return;
  const std::string_view order(reinterpret_cast<const char*>(found->second.data()), found->second.size());
  if (order != "little") fail(path, fmt::format("the byte order is {}; expected \"little\"", shown(order)));
}

}  // namespace

std::vector<CheckpointTensor> read_torch_archive(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  if (bytes.size() >= 2 && bytes[0] == std::byte{0x80}) {
    fail(path,
         "this is the format that PyTorch wrote before version 1.6, which is not supported; convert it once in Python: "
         "torch.save(torch.load(file, weights_only=True), file)");
  }
  const Entries entries = read_zip(bytes, path);
  const std::string prefix = find_prefix(entries, path);
  check_byte_order(entries, prefix, path);

  TensorReader reader(entries, prefix);
  PickleMachine machine(pickle_source(entries.at(prefix + "data.pkl")), reader, path.string() + ": data.pkl");
  const PickleValue root = machine.run();
  const PickleNode* dict = node_of(root, PickleKind::dict);
  if (!dict) fail(path, fmt::format("expected a dict of tensors, found {}", shown(root)));

  std::vector<CheckpointTensor> tensors;
  std::unordered_set<std::string_view> names;
  for (std::size_t i = 0; i < dict->items.size(); i += 2) {
    const PickleNode* name = node_of(dict->items[i], PickleKind::text);
    if (!name) fail(path, fmt::format("expected the names of tensors as keys, found {}", shown(dict->items[i])));
    const CheckpointTensor* tensor = reader.tensor_of(dict->items[i + 1]);
    const std::string what = shown(std::string_view(name->text));
    if (!tensor) fail(path, fmt::format("{}: expected a tensor, found {}", what, shown(dict->items[i + 1])));
    if (!names.insert(name->text).second) fail(path, fmt::format("the tensor {} is there twice", what));
    tensors.push_back(*tensor);
    tensors.back().name = name->text;
    tensors.back().file = path;
  }
  return tensors;
}

}  // namespace sgpt
