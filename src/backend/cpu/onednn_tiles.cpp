// Tiles of bf16 by oneDNN, with sums in f32, in blocks of so many rows as its kernel was made for.
#include <string>

#include <fmt/format.h>

#include "backend/cpu/onednn_product.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {
namespace {

// Rows of a block: calls into the library cost little beside so many. A text of fewer tokens is filled up to them,
// which AMX makes up for.
constexpr std::int64_t kRows = 32;

class OneDnnBf16Tiles final : public TileKernel {
 public:
  std::string_view name() const override { return name_; }
  bool supports(std::int64_t inner, std::int64_t cols) const override { return product_.serves(inner, cols); }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return product_.packed_bytes(inner, cols);
  }
  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const override {
    product_.pack(right.type == DType::bf16 ? right : as_floats(right, workspace), inner, packed, workspace);
  }
  std::int64_t row_quantum() const override { return product_.rows(); }
  std::int64_t tile_stride(std::int64_t cols) const override { return cols; }

  bool converts_left() const override { return true; }
  std::size_t left_value_bytes() const override { return size_of(DType::bf16); }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void*,
                   RowRange&) const override {
    round_to_bf16(row, count, inner, static_cast<std::uint16_t*>(values));
  }

  void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, bool accumulate, Workspace& workspace) const override {
    float* product = accumulate ? workspace.floats(kPartSlot, rows * cols) : tile;
    for (std::int64_t row = 0; row < rows; row += product_.rows()) {
      const auto* block =
          static_cast<const std::byte*>(left.values) + static_cast<std::size_t>(row * inner) * size_of(DType::bf16);
      product_.multiply(block, inner, cols, packed, product + row * cols, workspace);
    }
    if (accumulate) add_to(product, rows * cols, tile);
  }

 private:
  OneDnnProduct product_{OneDnnTypes::bf16, kRows};
  std::string name_ = fmt::format("{} amx_bf16", onednn_version());
};

}  // namespace

std::unique_ptr<TileKernel> make_onednn_bf16_tiles() { return std::make_unique<OneDnnBf16Tiles>(); }

}  // namespace sgpt::cpu
