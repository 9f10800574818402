#include "model/convert_tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/mapped_file.h"
#include "model/describe.h"
#include "model/transpose.h"
#include "sgpt/error.h"
#include "tensor/matrix.h"
#include "tensor/quantize.h"

namespace sgpt {
namespace {

constexpr std::int64_t kBlock = 1 << 14;  // numbers that a thread converts at a time

/// The largest magnitude that does not round to infinity.
float largest_source(DType type) {
  switch (type) {
    case DType::f16: return std::nextafter(65520.0f, 0.0f);
    case DType::bf16: return std::bit_cast<float>(0x7f7f7fffu);
    default: return std::numeric_limits<float>::max();
  }
}

/// to[count] = numbers of any floating type. (An f64 is rounded to f32 first; no checkpoint needs better.)
void load_floats(const std::byte* from, DType type, std::int64_t count, float* to) {
  switch (type) {
    case DType::f64: {
      const auto* values = reinterpret_cast<const double*>(from);
      std::transform(values, values + count, to, [](double value) { return static_cast<float>(value); });
      return;
    }
    case DType::f16: {
      const auto* values = reinterpret_cast<const std::uint16_t*>(from);
      std::transform(values, values + count, to, float_from_f16);
      return;
    }
    case DType::bf16: {
      const auto* values = reinterpret_cast<const std::uint16_t*>(from);
      std::transform(values, values + count, to, float_from_bf16);
      return;
    }
    default: std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  }
}

void store(const float* from, DType type, std::int64_t count, std::byte* to) {
  auto* halves = reinterpret_cast<std::uint16_t*>(to);
  switch (type) {
    case DType::f16: std::transform(from, from + count, halves, f16_from_float); return;
    case DType::bf16: std::transform(from, from + count, halves, bf16_from_float); return;
    default: std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  }
}

/// Elements [first, first + count) of a source.
struct Piece {
  const CheckpointTensor& source;
  std::uint64_t first;
  std::int64_t count;

  const std::byte* element(std::int64_t i) const {
    return source.bytes.data() + (first + static_cast<std::uint64_t>(i)) * size_of(source.type);
  }
};

/// Names the first number that cannot be converted.
[[noreturn]] void fail_at_number(const Piece& piece, DType type) {
  const std::string where = fmt::format("{}: tensor {}", piece.source.file.string(), shown(piece.source.name));
  for (std::int64_t i = 0; i < piece.count; ++i) {
    float value = 0;
    load_floats(piece.element(i), piece.source.type, 1, &value);
    if (std::abs(value) <= largest_source(type)) continue;
    if (!std::isfinite(value)) {
      throw UserError(fmt::format("{} holds a NaN or an infinity: the file is broken or its training diverged", where));
    }
    throw UserError(fmt::format("{} holds {}, which {} cannot express{}", where, value, name_of(type),
                                type == DType::f16 ? " (its largest number is 65504): choose --dtype bf16" : ""));
  }
  throw UserError(fmt::format("{} changed while it was read", where));
}

void convert_piece(const Piece& piece, DType type, std::byte* to) {
  const float largest = largest_source(type);
  int bad = 0;
#pragma omp parallel for schedule(static) reduction(| : bad)
  for (std::int64_t begin = 0; begin < piece.count; begin += kBlock) {
    float values[kBlock];
    const std::int64_t count = std::min(kBlock, piece.count - begin);
    load_floats(piece.element(begin), piece.source.type, count, values);
    int beyond = 0;
    for (std::int64_t i = 0; i < count; ++i) beyond |= std::abs(values[i]) <= largest ? 0 : 1;  // a NaN is, too
    bad |= beyond;
    store(values, type, count, to + static_cast<std::size_t>(begin) * size_of(type));
  }
  if (bad) fail_at_number(piece, type);
}

/// The bytes [first, first + count) of the source were read and are not needed any more.
void give_back(const CheckpointTensor& source, std::size_t first, std::size_t count) {
  if (!source.mapped) return;
  const bool last = first + count == source.bytes.size();
  // The kernel maps neighbours of what is touched, too: at the end everything goes.
  drop_pages(last ? source.bytes : source.bytes.subspan(first, count));
}

/// Rows [first, first + count) of the source matrix as 8-bit integers.
struct QuantizedRows {
  std::vector<std::int8_t> values;
  std::vector<float> scales;
};

QuantizedRows quantize_piece(const CheckpointTensor& source, std::int64_t first, std::int64_t count) {
  const std::int64_t in = source.shape[1];
  const Piece piece{source, static_cast<std::uint64_t>(first * in), count * in};
  std::vector<float> weight(static_cast<std::size_t>(piece.count));
  convert_piece(piece, DType::f32, reinterpret_cast<std::byte*>(weight.data()));
  QuantizedRows rows;
  rows.values.resize(weight.size());
  rows.scales.resize(static_cast<std::size_t>(count * quantization_blocks(in)));
  quantize_rows(ConstMatrix(weight.data(), count, in), Matrix(rows.values.data(), count, in, DType::i8),
                Matrix(rows.scales.data(), count, quantization_blocks(in)));
  return rows;
}

/// What quantized rows are written as: `width` bytes a row, out of `bytes_of`(rows).
template <class BytesOf>
TensorToWrite quantized_part(const CheckpointTensor& source, DType type, std::int64_t cols, std::string_view suffix,
                             BytesOf bytes_of, BytesRead read) {
  TensorToWrite tensor{std::string(source.name).append(suffix), type, {source.shape[0], cols}, {}, {}};
  const std::uint64_t width = static_cast<std::uint64_t>(cols) * size_of(type);
  tensor.fill = [&source, width, bytes_of, read = std::move(read)](std::uint64_t first, std::span<std::byte> piece) {
    // All rows that the piece touches; a row at its edge is quantized again with the next piece.
    const std::uint64_t first_row = first / width;
    const std::uint64_t end_row = (first + piece.size() + width - 1) / width;
    const auto source_width = source.bytes.size() / static_cast<std::size_t>(source.shape[0]);
    constexpr std::uint64_t kRowsBytes = std::uint64_t{16} << 20;  // of the source, at a time
    const std::uint64_t step = std::max<std::uint64_t>(1, kRowsBytes / source_width);
    for (std::uint64_t row = first_row; row < end_row; row += step) {
      const std::uint64_t count = std::min(step, end_row - row);
      const QuantizedRows rows =
          quantize_piece(source, static_cast<std::int64_t>(row), static_cast<std::int64_t>(count));
      const std::uint64_t begin = std::max(first, row * width);
      const std::uint64_t end = std::min(first + piece.size(), (row + count) * width);
      std::memcpy(piece.data() + (begin - first), bytes_of(rows) + (begin - row * width), end - begin);
      give_back(source, row * source_width, count * source_width);
      read(count * source_width);
    }
  };
  return tensor;
}

/// What `quantized` makes of the source turned over, which is in memory from the first piece to the last.
template <class Quantized>
TensorToWrite of_transposed(const CheckpointTensor& source, Quantized quantized, BytesRead read) {
  struct Turned {
    CheckpointTensor tensor;
    std::vector<std::byte> bytes;
  };
  const auto turned = std::make_shared<Turned>();
  turned->tensor = source;
  turned->tensor.shape = {source.shape[1], source.shape[0]};
  turned->tensor.mapped = false;
  TensorToWrite tensor = quantized(turned->tensor, std::move(read));
  tensor.fill = [&source, turned, fill = std::move(tensor.fill),
                 total = byte_count(tensor.shape, tensor.type).value_or(0)](std::uint64_t first,
                                                                            std::span<std::byte> piece) {
    if (first == 0) {
      turned->bytes.resize(source.bytes.size());
      transpose(source.matrix(), turned->bytes);
      turned->tensor.bytes = turned->bytes;
    }
    fill(first, piece);
    if (first + piece.size() == total) turned->bytes = {};
  };
  return tensor;
}

}  // namespace

TensorToWrite converted(const CheckpointTensor& source, DType type, BytesRead read) {
  TensorToWrite tensor{source.name, type, source.shape, {}, {}};
  tensor.fill = [&source, type, read = std::move(read)](std::uint64_t first, std::span<std::byte> bytes) {
    const Piece piece{source, first / size_of(type), static_cast<std::int64_t>(bytes.size() / size_of(type))};
    convert_piece(piece, type, bytes.data());
    const std::size_t width = size_of(source.type);
    give_back(source, piece.first * width, static_cast<std::size_t>(piece.count) * width);
    read(static_cast<std::uint64_t>(piece.count) * width);
  };
  return tensor;
}

TensorToWrite copied(const CheckpointTensor& source, BytesRead read) {
  TensorToWrite tensor{source.name, source.type, source.shape, {}, {}};
  tensor.fill = [&source, read = std::move(read)](std::uint64_t first, std::span<std::byte> bytes) {
    std::memcpy(bytes.data(), source.bytes.data() + first, bytes.size());
    give_back(source, first, bytes.size());
    read(bytes.size());
  };
  return tensor;
}

TensorToWrite quantized_values(const CheckpointTensor& source, BytesRead read) {
  return quantized_part(
      source, DType::i8, source.shape[1], "",
      [](const QuantizedRows& rows) { return reinterpret_cast<const std::byte*>(rows.values.data()); },
      std::move(read));
}

TensorToWrite quantized_scales(const CheckpointTensor& source, BytesRead read) {
  return quantized_part(
      source, DType::f32, quantization_blocks(source.shape[1]), kScalesSuffix,
      [](const QuantizedRows& rows) { return reinterpret_cast<const std::byte*>(rows.scales.data()); },
      std::move(read));
}

TensorToWrite transposed_quantized_values(const CheckpointTensor& source, BytesRead read) {
  return of_transposed(source, quantized_values, std::move(read));
}

TensorToWrite transposed_quantized_scales(const CheckpointTensor& source, BytesRead read) {
  return of_transposed(source, quantized_scales, std::move(read));
}

}  // namespace sgpt
