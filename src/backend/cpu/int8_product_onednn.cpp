// Products of bytes by oneDNN, whose exact sums are first written down as floats.
#include <cstring>

#include "backend/cpu/int8_product.h"
#include "backend/cpu/onednn_product.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {
namespace {

class OneDnnInt8Product final : public Int8Product {
 public:
  bool serves(std::int64_t inner, std::int64_t cols) const override { return product_.serves(inner, cols); }
  std::int64_t stride(std::int64_t cols) const override { return cols; }

  std::size_t packed_bytes(std::int64_t inner, std::int64_t cols) const override {
    return product_.packed_bytes(inner, cols);
  }
  void pack(const std::int8_t* columns, std::int64_t inner, std::int64_t cols, void* packed,
            Workspace& workspace) const override {
    product_.pack({columns, inner, cols, 1, inner, DType::i8}, inner, packed, workspace);
  }

  std::size_t left_value_bytes() const override { return 1; }
  void convert_row(const float* row, std::int64_t count, std::int64_t inner, void* values, void* fine,
                   RowRange& range) const override {
    quantize_row(row, count, inner, static_cast<std::uint8_t*>(values), static_cast<std::uint8_t*>(fine), range);
  }

  void multiply(const Int8Rows& rows, const Int8Columns& columns, bool accumulate, float* tile,
                Workspace& workspace) const override {
    const std::int64_t block = product_.rows();
    const std::int64_t computed = (rows.count + block - 1) / block * block;
    float* exact = workspace.floats(kPartSlot, computed * columns.cols);
    for (std::int64_t row = 0; row < rows.count; row += block) {
      const auto* values = static_cast<const std::byte*>(rows.values) + row * columns.inner;
      if (rows.count - row < block) {
        const auto all = static_cast<std::size_t>(block * columns.inner);
        const auto present = static_cast<std::size_t>((rows.count - row) * columns.inner);
        auto* copy = static_cast<std::byte*>(workspace.bytes(kConvertSlot, all));
        std::memcpy(copy, values, present);
        std::memset(copy + present, 0, all - present);
        values = copy;
      }
      product_.multiply(values, columns.inner, columns.cols, columns.packed, exact + row * columns.cols, workspace);
    }
    add_quantized({exact, columns.cols, rows.ranges, columns.scales, columns.sums}, rows.count, columns.cols,
                  accumulate, tile);
  }

 private:
  static constexpr std::int64_t kRows = 32;
  OneDnnProduct product_{OneDnnTypes::u8_s8, kRows};
};

}  // namespace

std::unique_ptr<Int8Product> make_onednn_int8_product() { return std::make_unique<OneDnnInt8Product>(); }

}  // namespace sgpt::cpu
