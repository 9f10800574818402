// Packing weights, and every operation that is a matrix product.
#include <cassert>

#include "backend/cpu/backend_operations.h"
#include "backend/cpu/parallel.h"
#include "backend/cpu/vector_ops.h"

namespace sgpt::cpu {
namespace {

/// Wᵀ [in,out] for x Wᵀ, and where asked for W [out,in] for dy W.
class CpuWeight final : public PackedWeight {
 public:
  CpuWeight(const Products& products, std::int64_t out, std::int64_t in, WeightUse use)
      : PackedWeight(out, in), forward_(products.kernel(in, out), in, out) {
    if (use == WeightUse::forward_and_backward) {
      backward_ = std::make_unique<PackedMatrix>(products.kernel(out, in), out, in);
    }
  }
  std::size_t bytes() const override { return forward_.bytes() + (backward_ ? backward_->bytes() : 0); }
  const PackedMatrix& forward() const { return forward_; }
  const PackedMatrix& backward() const {
    assert(backward_ && "packed with WeightUse::forward");
    return *backward_;
  }

  void fill(ConstMatrix weight, WorkspacePool& workspaces) {
    const std::int64_t forward_chunks = forward_.chunks();
    parallel_workers(forward_chunks + (backward_ ? backward_->chunks() : 0), [&] {
      return [&, workspace = workspaces.take()](std::int64_t i) {
        if (i < forward_chunks) {
          pack_rows(weight, i, *workspace);
        } else {
          pack_columns(weight, i - forward_chunks, *workspace);
        }
      };
    });
  }

 private:
  /// A chunk of forward: rows of W, which are columns of Wᵀ.
  void pack_rows(ConstMatrix weight, std::int64_t chunk, Workspace& workspace) {
    const std::int64_t count = forward_.chunk_cols(chunk);
    const ConstMatrix rows = weight.slice(forward_.chunk_first(chunk), count);
    const float* data = nullptr;
    if (weight.type == DType::f32) {
      data = rows.f32();
    } else {
      float* converted = workspace.floats(kConvertSlot, rows.size());
      convert_to_floats(rows.data, rows.type, rows.size(), converted);
      data = converted;
    }
    forward_.pack_chunk(chunk, {data, in(), count, 1, in()}, workspace);
  }

  /// A chunk of backward: columns of W.
  void pack_columns(ConstMatrix weight, std::int64_t chunk, Workspace& workspace) {
    const std::int64_t first = backward_->chunk_first(chunk), count = backward_->chunk_cols(chunk);
    if (weight.type == DType::f32) {
      backward_->pack_chunk(chunk, {weight.f32() + first, out(), count, in(), 1}, workspace);
      return;
    }
    float* converted = workspace.floats(kConvertSlot, out() * count);
    const auto size = static_cast<std::int64_t>(size_of(weight.type));
    for (std::int64_t o = 0; o < out(); ++o) {
      const auto* from = static_cast<const std::byte*>(weight.data) + (o * in() + first) * size;
      convert_to_floats(from, weight.type, count, converted + o * count);
    }
    backward_->pack_chunk(chunk, {converted, out(), count, count, 1}, workspace);
  }

  PackedMatrix forward_;
  std::unique_ptr<PackedMatrix> backward_;
};

const CpuWeight& cpu_weight(const PackedWeight& weight) { return dynamic_cast<const CpuWeight&>(weight); }

StridedMatrix strided(ConstMatrix m, bool transpose = false) {
  if (transpose) return {m.f32(), m.cols, m.rows, 1, m.cols};
  return {m.f32(), m.rows, m.cols, m.cols, 1};
}

}  // namespace

std::unique_ptr<PackedWeight> CpuBackend::pack(ConstMatrix host_weight, WeightUse use) {
  auto packed = std::make_unique<CpuWeight>(products_, host_weight.rows, host_weight.cols, use);
  packed->fill(host_weight, workspaces_);
  return packed;
}

void CpuBackend::repack(PackedWeight& weight, ConstMatrix values) {
  assert(values.rows == weight.out() && values.cols == weight.in());
  dynamic_cast<CpuWeight&>(weight).fill(values, workspaces_);
}

void CpuBackend::linear(ConstMatrix x, const PackedWeight& weight, ConstMatrix bias, Matrix y, Epilogue epilogue,
                        Matrix before_gelu) {
  assert(x.cols == weight.in() && y.cols == weight.out() && y.rows == x.rows);
  const LinearEpilogue finish{bias ? bias.f32() : nullptr, epilogue, y, before_gelu};
  products_.multiply(strided(x), cpu_weight(weight).forward(), [&](const Tile& tile) { finish_linear(finish, tile); });
}

void CpuBackend::linear_backward_input(ConstMatrix dy, const PackedWeight& weight, Matrix dx) {
  assert(dy.cols == weight.out() && dx.cols == weight.in() && dx.rows == dy.rows);
  products_.multiply(strided(dy), cpu_weight(weight).backward(),
                     [&](const Tile& tile) { finish_product(tile, 1, false, dx); });
}

void CpuBackend::linear_backward_weight(ConstMatrix dy, ConstMatrix x, Matrix dweight) {
  assert(dy.rows == x.rows && dweight.rows == dy.cols && dweight.cols == x.cols);
  if (x.rows == 0) return;
  products_.multiply(strided(dy, true), products_.pack(strided(x)),
                     [&](const Tile& tile) { finish_product(tile, 1, true, dweight); });
}

void CpuBackend::matmul(ConstMatrix a, bool transpose_a, ConstMatrix b, bool transpose_b, float alpha, Matrix c) {
  const StridedMatrix left = strided(a, transpose_a), right = strided(b, transpose_b);
  assert(left.cols == right.rows && c.rows == left.rows && c.cols == right.cols);
  if (left.cols == 0) return zero(c);
  if (c.size() == 0) return;
  products_.multiply(left, products_.pack(right), [&](const Tile& tile) { finish_product(tile, alpha, false, c); });
}

}  // namespace sgpt::cpu
