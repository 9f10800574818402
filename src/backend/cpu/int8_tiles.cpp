// Tiles of 8-bit integers without calibration. A weight has a scale for every output and block of 256 inputs, a token
// one range for each such block of its row, so that an outlier, of which BLOOM has some, concerns its own block alone;
// and there the token gets a second byte, multiplied in a second product. Within a block the sums are exact integers;
// what they stand for is added up in f32.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "backend/cpu/onednn_product.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {
namespace {

/// How a block's exact product is computed. A value of the left side is a byte or a float, as convert_row says.
class ExactProduct {
 public:
  virtual ~ExactProduct() = default;
  virtual bool serves(std::int64_t inner, std::int64_t cols) const = 0;
  virtual std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const = 0;
  /// `columns` of i8, [inner, cols] with row stride 1.
  virtual void pack(const StridedMatrix& columns, void* packed, Workspace& workspace) const = 0;
  virtual std::int64_t row_quantum() const = 0;
  virtual std::int64_t stride(std::int64_t cols) const = 0;
  virtual std::size_t left_value_bytes() const = 0;
  virtual void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void* fine,
                           RowRange& range) const = 0;
  virtual void multiply(const void* left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                        float* exact, Workspace& workspace) const = 0;
};

/// Instructions for products of bytes, where the processor has them.
class OneDnnExactProduct final : public ExactProduct {
 public:
  bool serves(std::int64_t inner, std::int64_t cols) const override { return product_.serves(inner, cols); }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return product_.packed_bytes(inner, cols);
  }
  void pack(const StridedMatrix& columns, void* packed, Workspace& workspace) const override {
    product_.pack(columns, columns.rows, packed, workspace);
  }
  std::int64_t row_quantum() const override { return OneDnnProduct::kRowQuantum; }
  std::int64_t stride(std::int64_t cols) const override { return cols; }
  std::size_t left_value_bytes() const override { return 1; }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void* fine,
                   RowRange& range) const override {
    quantize_row(row, count, inner, static_cast<std::uint8_t*>(values), static_cast<std::uint8_t*>(fine), range);
  }
  void multiply(const void* left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* exact, Workspace& workspace) const override {
    product_.multiply(left, rows, inner, cols, packed, exact, workspace);
  }

 private:
  OneDnnProduct product_{OneDnnTypes::u8_s8};
};

/// For every processor: sums of 256 products of bytes are below 2^23, so floats hold them exactly. Bytes become floats
/// tile by tile; the memory they take is a quarter all the same.
class SimdExactProduct final : public ExactProduct {
 public:
  bool serves(std::int64_t, std::int64_t) const override { return true; }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return static_cast<std::size_t>(inner * floats_->tile_stride(cols));
  }
  void pack(const StridedMatrix& columns, void* packed, Workspace& workspace) const override {
    const std::int64_t count = columns.rows * columns.cols, size = columns.rows * floats_->tile_stride(columns.cols);
    float* values = workspace.floats(kCopySlot, count);
    for (std::int64_t j = 0; j < columns.cols; ++j) {
      convert_to_floats(static_cast<const std::int8_t*>(columns.at(0, j)), columns.rows, values + j * columns.rows);
    }
    float* panels = workspace.floats(kPartSlot, size);
    std::fill_n(panels, size, 0.0f);
    floats_->pack({values, columns.rows, columns.cols, 1, columns.rows}, columns.rows, panels, workspace);
    std::transform(panels, panels + size, static_cast<std::int8_t*>(packed),
                   [](float value) { return static_cast<std::int8_t>(value); });
  }
  std::int64_t row_quantum() const override { return floats_->row_quantum(); }
  std::int64_t stride(std::int64_t cols) const override { return floats_->tile_stride(cols); }
  std::size_t left_value_bytes() const override { return sizeof(float); }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void* fine,
                   RowRange& range) const override {
    quantize_row(row, count, inner, static_cast<float*>(values), static_cast<float*>(fine), range);
  }
  void multiply(const void* left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* exact, Workspace& workspace) const override {
    const std::int64_t size = inner * stride(cols);
    float* panels = workspace.floats(kConvertSlot, size);
    convert_to_floats(static_cast<const std::int8_t*>(packed), size, panels);
    floats_->multiply({.values = left}, rows, inner, cols, panels, exact, false, workspace);
  }

 private:
  std::unique_ptr<TileKernel> floats_ = make_simd_tiles();
};

class Int8Tiles final : public TileKernel {
 public:
  explicit Int8Tiles(std::unique_ptr<ExactProduct> product) : product_(std::move(product)) {}

  bool supports(std::int64_t inner, std::int64_t cols) const override {
    const std::int64_t last = (inner - 1) % kQuantizationBlock + 1;
    return (inner < kQuantizationBlock || product_->serves(kQuantizationBlock, cols)) &&
           product_->serves((last + kInnerMultiple - 1) / kInnerMultiple * kInnerMultiple, cols);
  }
  std::int64_t inner_block() const override { return kQuantizationBlock; }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return product_bytes(inner, cols) + 2 * static_cast<std::size_t>(cols) * sizeof(float);
  }

  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const override {
    assert(right.row_stride == 1 && right.rows <= kQuantizationBlock);
    auto* facts = reinterpret_cast<float*>(static_cast<std::byte*>(packed) + product_bytes(inner, right.cols));
    float *scales = facts, *sums = facts + right.cols;  // [cols] each
    auto* values = static_cast<std::int8_t*>(workspace.bytes(kChunkSlot, static_cast<std::size_t>(inner * right.cols)));
    std::memset(values, 0, static_cast<std::size_t>(inner * right.cols));
    if (right.type == DType::i8) {
      for (std::int64_t j = 0; j < right.cols; ++j) {
        std::memcpy(values + j * inner, right.at(0, j), static_cast<std::size_t>(right.rows));
        scales[j] = right.scales[j * right.scale_stride];
      }
    } else {
      quantize_columns(right, inner, values, scales, workspace);
    }
    for (std::int64_t j = 0; j < right.cols; ++j) {
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < inner; ++k) sum += values[j * inner + k];
      sums[j] = scales[j] * static_cast<float>(sum);
    }
    product_->pack({values, inner, right.cols, 1, inner, DType::i8}, packed, workspace);
  }

  std::int64_t row_quantum() const override { return product_->row_quantum(); }
  std::int64_t tile_stride(std::int64_t cols) const override { return product_->stride(cols); }
  bool converts_left() const override { return true; }
  bool has_fine_values() const override { return true; }
  std::size_t left_value_bytes() const override { return product_->left_value_bytes(); }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void* fine,
                   RowRange& range) const override {
    product_->convert_row(row, count, inner, values, fine, range);
  }

  void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, bool accumulate, Workspace& workspace) const override {
    const std::int64_t stride = tile_stride(cols);
    float* exact = workspace.floats(kPartSlot, rows * stride);
    product_->multiply(left.values, rows, inner, cols, packed, exact, workspace);
    const auto* scales =
        reinterpret_cast<const float*>(static_cast<const std::byte*>(packed) + product_bytes(inner, cols));
    const QuantizedProduct product{exact, stride, left.ranges, scales, scales + cols};
    add_quantized(product, rows, cols, accumulate, tile);
    const auto is_fine = [](const RowRange& range) { return range.fine_step != 0; };
    if (std::none_of(left.ranges, left.ranges + rows, is_fine)) return;
    product_->multiply(left.fine, rows, inner, cols, packed, exact, workspace);
    add_fine(product, rows, cols, tile);
  }

 private:
  std::size_t product_bytes(std::int64_t inner, std::int64_t cols) const {
    constexpr std::size_t kAlignment = 64;
    return (product_->packed_bytes(inner, cols) + kAlignment - 1) / kAlignment * kAlignment;
  }

  /// values[cols][inner], zeros past the rows that are there; scales[cols].
  static void quantize_columns(const StridedMatrix& right, std::int64_t inner, std::int8_t* values, float* scales,
                               Workspace& workspace) {
    const auto line = static_cast<std::size_t>(right.rows) * size_of(right.type);
    auto* dense = static_cast<std::byte*>(workspace.bytes(kCopySlot, line * static_cast<std::size_t>(right.cols)));
    for (std::int64_t j = 0; j < right.cols; ++j) {
      std::memcpy(dense + static_cast<std::size_t>(j) * line, right.at(0, j), line);
    }
    auto* integers =
        static_cast<std::int8_t*>(workspace.bytes(kConvertSlot, static_cast<std::size_t>(right.rows * right.cols)));
    quantize_rows({dense, right.cols, right.rows, right.type}, {integers, right.cols, right.rows, DType::i8},
                  {scales, right.cols, 1});
    for (std::int64_t j = 0; j < right.cols; ++j) {
      std::copy_n(integers + j * right.rows, right.rows, values + j * inner);
    }
  }

  std::unique_ptr<ExactProduct> product_;
};

}  // namespace

std::unique_ptr<TileKernel> make_onednn_int8_tiles() {
  return std::make_unique<Int8Tiles>(std::make_unique<OneDnnExactProduct>());
}
std::unique_ptr<TileKernel> make_simd_int8_tiles() {
  return std::make_unique<Int8Tiles>(std::make_unique<SimdExactProduct>());
}

}  // namespace sgpt::cpu
