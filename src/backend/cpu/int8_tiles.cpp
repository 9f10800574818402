// Tiles of 8-bit integers without calibration. A weight has a scale for every output and block of 256 inputs, a token
// one range for each such block of its row, so that an outlier, of which BLOOM has some, concerns its own block alone;
// and there the token gets a second byte, multiplied in a second product. Within a block the sums are exact integers;
// what they stand for is added up in f32.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>

#include <fmt/format.h>

#include "backend/cpu/int8_product.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {
namespace {

// Rows whose fine values are multiplied at once, at most.
constexpr std::int64_t kFineRows = 24;

class Int8Tiles final : public TileKernel {
 public:
  Int8Tiles(std::unique_ptr<Int8Product> product, std::string name)
      : product_(std::move(product)), name_(std::move(name)) {}

  std::string_view name() const override { return name_; }

  std::int64_t inner_block() const override { return kQuantizationBlock; }
  std::int64_t chunk_cols() const override { return kNarrowChunkCols; }
  std::int64_t lasting_rows(std::int64_t inner) const override { return product_->lasting_rows(inner); }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return product_bytes(inner, cols) + 2 * static_cast<std::size_t>(tile_stride(cols)) * sizeof(float);
  }

  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const override {
    require(right.row_stride == 1 && right.rows <= kQuantizationBlock, "int8: a block of columns that lie dense",
            shape_of(right));
    auto* facts = reinterpret_cast<float*>(static_cast<std::byte*>(packed) + product_bytes(inner, right.cols));
    float *scales = facts, *sums = facts + tile_stride(right.cols);
    std::fill_n(facts, 2 * tile_stride(right.cols), 0.0f);
    auto* values = static_cast<std::int8_t*>(workspace.bytes(kChunkSlot, static_cast<std::size_t>(inner * right.cols)));
    for (std::int64_t j = 0; j < right.cols; ++j) {
      std::int8_t* column = values + j * inner;
      if (right.type == DType::i8) {
        std::memcpy(column, right.at(0, j), static_cast<std::size_t>(right.rows));
        scales[j] = right.scales[j * right.scale_stride];
      } else {
        scales[j] = quantize_weights(right.at(0, j), right.type, right.rows, column);
      }
      std::fill(column + right.rows, column + inner, std::int8_t{0});
      sums[j] = scales[j] * static_cast<float>(std::accumulate(column, column + right.rows, std::int32_t{0}));
    }
    product_->pack(values, inner, right.cols, packed, workspace);
  }

  std::int64_t row_quantum() const override { return 1; }
  std::int64_t tile_stride(std::int64_t cols) const override { return product_->stride(cols); }
  bool converts_left() const override { return true; }
  bool has_fine_values() const override { return true; }
  std::size_t left_value_bytes() const override { return product_->left_value_bytes(); }
  void convert_rows(const SourceRows& from, std::int64_t inner, void* values, void* fine,
                    RowRange* ranges) const override {
    const std::int64_t present = from.rows > 0 ? from.cols : 0;
    product_->convert_row(static_cast<const float*>(from.data), present, inner, values, fine, *ranges);
  }

  void enter() const override { product_->enter(); }
  void leave() const override { product_->leave(); }

  void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, bool accumulate, Workspace& workspace) const override {
    const auto* scales =
        reinterpret_cast<const float*>(static_cast<const std::byte*>(packed) + product_bytes(inner, cols));
    const Int8Columns columns{packed, scales, scales + tile_stride(cols), inner, cols};
    product_->multiply({left.values, left.ranges, rows}, columns, accumulate, tile, workspace);
    add_fine_values(left, rows, columns, tile, workspace);
  }

 private:
  std::size_t product_bytes(std::int64_t inner, std::int64_t cols) const {
    constexpr std::size_t kAlignment = 64;
    return (product_->packed_bytes(inner, cols) + kAlignment - 1) / kAlignment * kAlignment;
  }

  /// Of the rows that have any: runs of neighbours.
  void add_fine_values(const LeftRows& left, std::int64_t rows, const Int8Columns& columns, float* tile,
                       Workspace& workspace) const {
    const auto row_bytes = columns.inner * static_cast<std::int64_t>(left_value_bytes());
    const auto has_some = [](const RowRange& range) { return range.fine_step != 0; };
    const RowRange* const end = left.ranges + rows;
    RowRange steps[kFineRows];
    for (const RowRange* run = left.ranges;;) {
      run = std::find_if(run, end, has_some);
      if (run == end) return;
      const RowRange* const run_end = std::find_if_not(run, std::min(end, run + kFineRows), has_some);
      std::transform(run, run_end, steps, [](const RowRange& range) { return RowRange{.step = range.fine_step}; });
      const std::int64_t row = run - left.ranges;
      const auto* values = static_cast<const std::byte*>(left.fine) + row * row_bytes;
      product_->multiply({values, steps, run_end - run}, columns, true, tile + row * tile_stride(columns.cols),
                         workspace);
      run = run_end;
    }
  }

  std::unique_ptr<Int8Product> product_;
  std::string name_;
};

}  // namespace

std::unique_ptr<TileKernel> make_amx_int8_tiles() {
  auto product = make_amx_int8_product();
  return product ? std::make_unique<Int8Tiles>(std::move(product), "own amx_int8") : nullptr;
}
std::unique_ptr<TileKernel> make_plain_amx_int8_tiles() {
  return std::make_unique<Int8Tiles>(make_plain_amx_int8_product(), "own plain amx_int8");
}
std::unique_ptr<TileKernel> make_vnni_int8_tiles() {
  auto product = make_vnni_int8_product();
  return product ? std::make_unique<Int8Tiles>(std::move(product), "own avx512_vnni") : nullptr;
}
std::unique_ptr<TileKernel> make_simd_int8_tiles() {
  return std::make_unique<Int8Tiles>(make_simd_int8_product(), "own int16 pairs");
}

}  // namespace sgpt::cpu
