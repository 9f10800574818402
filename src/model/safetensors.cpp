#include "model/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "model/describe.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are used as they lie in the file: little-endian");

using Json = nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the limit of the reference implementation
constexpr std::size_t kMostDimensions = 64;
constexpr int kDeepest = 3;  // {name: {data_offsets: [ ]}}

std::optional<DType> dtype_from(std::string_view name) {
  static constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16}, {"F64", DType::f64}, {"I64", DType::i64},
      {"I32", DType::i32}, {"I16", DType::i16}, {"I8", DType::i8},     {"U8", DType::u8},   {"BOOL", DType::boolean}};
  for (const auto& [known, type] : kTypes) {
    if (name == known) return type;
  }
  return std::nullopt;
}

/// One file while it is read: its path goes into every message.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::filesystem::path& path) : bytes_(bytes), path_(path) {}

  std::vector<CheckpointTensor> read() {
    const Json header = parse(header_text());
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") {
        check_metadata(value);
      } else {
        entries.push_back(entry(name, value));
      }
    }
    return placed(entries);
  }

 private:
  struct Entry {
    CheckpointTensor tensor;
    std::uint64_t begin;
    std::uint64_t end;
  };

  template <class... Values>
  [[noreturn]] void fail(fmt::format_string<Values...> format, Values&&... values) const {
    throw UserError(fmt::format("{}: {}", path_.string(), fmt::format(format, std::forward<Values>(values)...)));
  }

  std::string_view header_text() {
    if (bytes_.size() < kLengthBytes) {
      fail("truncated: a safetensors file has at least 8 bytes, this one has {}", bytes_.size());
    }
    std::uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), kLengthBytes);
    if (length > kLongestHeader) {
      fail(
          "the header's length is given as {} bytes, more than the {} that the format allows: not a safetensors file, "
          "or "
          "a broken one",
          length, kLongestHeader);
    }
    if (length > bytes_.size() - kLengthBytes) {
      fail("truncated: the header's length is given as {} bytes, but only {} follow", length,
           bytes_.size() - kLengthBytes);
    }
    data_ = bytes_.subspan(static_cast<std::size_t>(kLengthBytes + length));
    return {reinterpret_cast<const char*>(bytes_.data()) + kLengthBytes, static_cast<std::size_t>(length)};
  }

  Json parse(std::string_view text) const {
    std::unordered_set<std::string> names;
    const auto check = [&](int depth, Json::parse_event_t event, Json& value) {
      if (depth >= kDeepest &&
          (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start)) {
        fail("the header is nested deeper than the format allows");
      }
      if (depth == 1 && event == Json::parse_event_t::key && !names.insert(value.get_ref<std::string&>()).second) {
        fail("the header names the tensor {} twice", shown(value.get_ref<std::string&>()));
      }
      return true;
    };
    try {
      Json header = Json::parse(text, check);
      if (!header.is_object()) fail("the header is no JSON object");
      return header;
    } catch (const Json::exception& error) {
      fail("the header is no valid JSON: {}", error.what());
    }
  }

  void check_metadata(const Json& metadata) const {
    if (!metadata.is_object()) fail("__metadata__: expected a JSON object");
    for (const auto& [key, value] : metadata.items()) {
      if (!value.is_string()) fail("__metadata__: {}: expected a string", shown(key));
    }
  }

  Entry entry(const std::string& name, const Json& value) const {
    const std::string what = shown(name);
    if (!value.is_object()) fail("tensor {}: expected {{dtype, shape, data_offsets}}", what);
    Entry result;
    result.tensor.name = name;
    result.tensor.file = path_;
    for (const auto& [key, part] : value.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets")
        fail("tensor {}: unknown key {}", what, shown(key));
    }
    const auto dtype = value.find("dtype");
    if (dtype == value.end() || !dtype->is_string()) fail("tensor {}: dtype is missing or no string", what);
    const std::string& type_name = dtype->get_ref<const std::string&>();
    if (const std::optional<DType> type = dtype_from(type_name)) {
      result.tensor.type = *type;
    } else {
      result.tensor.foreign = fmt::format("the element type {}", shown(type_name));
    }
    const std::vector<std::uint64_t> shape = numbers(value, "shape", what);
    if (shape.size() > kMostDimensions) fail("tensor {}: {} dimensions are too many", what, shape.size());
    for (const std::uint64_t size : shape) {
      if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        fail("tensor {}: a size of {} in its shape is too large", what, size);
      }
      result.tensor.shape.push_back(static_cast<std::int64_t>(size));
    }
    const std::vector<std::uint64_t> offsets = numbers(value, "data_offsets", what);
    if (offsets.size() != 2) fail("tensor {}: expected two data_offsets, found {}", what, offsets.size());
    result.begin = offsets[0];
    result.end = offsets[1];
    check_range(result, what);
    return result;
  }

  std::vector<std::uint64_t> numbers(const Json& value, const char* key, const std::string& what) const {
    const auto list = value.find(key);
    if (list == value.end() || !list->is_array()) fail("tensor {}: {} is missing or no list", what, key);
    std::vector<std::uint64_t> result;
    for (const Json& number : *list) {
      if (!number.is_number_unsigned()) fail("tensor {}: {}: expected whole numbers from 0 to 2^64 - 1", what, key);
      result.push_back(number.get<std::uint64_t>());
    }
    return result;
  }

  void check_range(const Entry& e, const std::string& what) const {
    if (e.begin > e.end) fail("tensor {}: its data_offsets [{}, {}] run backwards", what, e.begin, e.end);
    if (e.end > data_.size()) {
      fail("truncated: tensor {} ends at byte {} of the data, but only {} bytes are there", what, e.end, data_.size());
    }
    if (!e.tensor.foreign.empty()) return;  // how many bits its elements have is for others to know
    const std::optional<std::uint64_t> needed = byte_count(e.tensor.shape, e.tensor.type);
    const std::string shape = shown_shape(e.tensor.shape);
    if (!needed) fail("tensor {}: the shape {} is too large", what, shape);
    if (*needed != e.end - e.begin) {
      fail("tensor {}: {} elements of type {} take {} bytes, but its data_offsets span {}", what, shape,
           name_of(e.tensor.type), *needed, e.end - e.begin);
    }
  }

  /// The tensors with their bytes; together they must cover the data without a hole or an overlap.
  std::vector<CheckpointTensor> placed(std::vector<Entry>& entries) const {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.tensor.name) < std::tie(b.begin, b.end, b.tensor.name);
    });
    std::vector<CheckpointTensor> tensors;
    tensors.reserve(entries.size());
    std::uint64_t position = 0;
    for (Entry& e : entries) {
      if (e.begin < position) {
        fail("tensor {} begins at byte {} of the data, inside {}: tensors overlap", shown(e.tensor.name), e.begin,
             shown(tensors.back().name));
      }
      if (e.begin > position) {
        fail("no tensor covers bytes {} to {} of the data, before {}", position, e.begin, shown(e.tensor.name));
      }
      position = e.end;
      e.tensor.bytes = data_.subspan(static_cast<std::size_t>(e.begin), static_cast<std::size_t>(e.end - e.begin));
      tensors.push_back(std::move(e.tensor));
    }
    if (position != data_.size()) {
      fail("over-long file: its tensors end at byte {} of the data, but {} bytes are there", position, data_.size());
    }
    return tensors;
  }

  std::span<const std::byte> bytes_;
  std::span<const std::byte> data_;
  const std::filesystem::path& path_;
};

}  // namespace

std::vector<CheckpointTensor> read_safetensors(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  return Reader(bytes, path).read();
}

}  // namespace sgpt
