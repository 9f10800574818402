#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "base/atomic_file.h"
#include "base/json_string.h"
#include "model/describe.h"
#include "model/safetensors.h"

namespace sgpt {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
constexpr std::size_t kAlignment = 8;  // of the data, so that a mapped tensor can be read in place

std::string_view safetensors_name(DType type) {
  switch (type) {
    case DType::f32: return "F32";
    case DType::f16: return "F16";
    case DType::bf16: return "BF16";
    case DType::f64: return "F64";
    case DType::i64: return "I64";
    case DType::i32: return "I32";
    case DType::i16: return "I16";
    case DType::i8: return "I8";
    case DType::u8: return "U8";
    case DType::boolean: return "BOOL";
  }
  throw std::logic_error("an element type without a safetensors name");
}

std::uint64_t bytes_of(const TensorToWrite& tensor) {
  const auto bytes = byte_count(tensor.shape, tensor.type);
  if (!bytes || (!tensor.fill && tensor.bytes.size() != *bytes)) {
    throw std::logic_error(fmt::format("tensor {}: {} bytes were given for the shape {}", tensor.name,
                                       tensor.bytes.size(), shown_shape(tensor.shape)));
  }
  return *bytes;
}

/// Wider types first, as other writers do: with an aligned start every tensor is then aligned to its type.
std::vector<const TensorToWrite*> by_width(std::span<const TensorToWrite> tensors) {
  std::vector<const TensorToWrite*> order;
  for (const TensorToWrite& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(),
                   [](const TensorToWrite* a, const TensorToWrite* b) { return size_of(a->type) > size_of(b->type); });
  return order;
}

std::string header_of(std::span<const TensorToWrite* const> tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  std::uint64_t begin = 0;
  for (const TensorToWrite* tensor : tensors) {
    const std::uint64_t end = begin + bytes_of(*tensor);
    header += fmt::format(R"(,{}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", json_quoted(tensor->name),
                          safetensors_name(tensor->type), shown_shape(tensor->shape), begin, end);
    begin = end;
  }
  header += "}";
  header.resize((header.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return header;
}

void write_data(AtomicFile& file, const TensorToWrite& tensor, std::vector<std::byte>& piece) {
  if (!tensor.fill) return file.write(tensor.bytes);
  piece.resize(kPieceBytes);  // a multiple of every element's size
  const std::uint64_t total = bytes_of(tensor);
  for (std::uint64_t first = 0; first < total; first += kPieceBytes) {
    const std::span<std::byte> part(piece.data(), std::min<std::uint64_t>(kPieceBytes, total - first));
    tensor.fill(first, part);
    file.write(std::span<const std::byte>(part));
  }
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors) {
  const std::vector<const TensorToWrite*> order = by_width(tensors);
  const std::string header = header_of(order);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  std::vector<std::byte> piece;
  for (const TensorToWrite* tensor : order) write_data(file, *tensor, piece);
  file.commit();
}

}  // namespace sgpt
