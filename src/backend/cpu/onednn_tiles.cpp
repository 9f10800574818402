// Tiles by oneDNN: f32, and bf16 with sums in f32.
#include "backend/cpu/onednn_product.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {
namespace {

class OneDnnTiles final : public TileKernel {
 public:
  explicit OneDnnTiles(OneDnnTypes types)
      : product_(types), type_(types == OneDnnTypes::bf16 ? DType::bf16 : DType::f32) {}

  bool supports(std::int64_t inner, std::int64_t cols) const override { return product_.serves(inner, cols); }
  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return product_.packed_bytes(inner, cols);
  }
  void pack(const StridedMatrix& right, std::int64_t inner, void* packed, Workspace& workspace) const override {
    product_.pack(right.type == type_ ? right : as_floats(right, workspace), inner, packed, workspace);
  }
  std::int64_t row_quantum() const override { return OneDnnProduct::kRowQuantum; }
  std::int64_t tile_stride(std::int64_t cols) const override { return cols; }

  bool converts_left() const override { return type_ == DType::bf16; }
  std::size_t left_value_bytes() const override { return size_of(type_); }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void*,
                   RowRange&) const override {
    round_to_bf16(row, count, inner, static_cast<std::uint16_t*>(values));
  }

  void multiply(const LeftRows& left, std::int64_t rows, std::int64_t inner, std::int64_t cols, const void* packed,
                float* tile, bool accumulate, Workspace& workspace) const override {
    float* product = accumulate ? workspace.floats(kPartSlot, rows * cols) : tile;
    product_.multiply(left.values, rows, inner, cols, packed, product, workspace);
    if (accumulate) add_to(product, rows * cols, tile);
  }

 private:
  OneDnnProduct product_;
  DType type_;
};

}  // namespace

std::unique_ptr<TileKernel> make_onednn_tiles() { return std::make_unique<OneDnnTiles>(OneDnnTypes::f32); }
std::unique_ptr<TileKernel> make_onednn_bf16_tiles() { return std::make_unique<OneDnnTiles>(OneDnnTypes::bf16); }

}  // namespace sgpt::cpu
