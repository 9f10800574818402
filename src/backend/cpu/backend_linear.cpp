// Packing weights, and every operation that is a matrix product.
#include "backend/checks.h"
#include "backend/cpu/backend_operations.h"
#include "backend/cpu/bf16_gain.h"
#include "backend/cpu/processor.h"
#include "backend/cpu/vector_ops.h"
#include "base/parallel.h"

namespace sgpt::cpu {
namespace {

// Below this, bf16 is not worth its rounding, and noise could decide.
constexpr double kClearGain = 1.3;

StridedMatrix strided(ConstMatrix m) { return {m.data, m.rows, m.cols, m.cols, 1, m.type}; }
StridedMatrix strided(ConstMatrix m, bool transpose) { return transpose ? strided(m).transposed() : strided(m); }

/// What dy W is computed in.
ComputeType backward_type(ComputeType type) { return type == ComputeType::int8 ? ComputeType::f32 : type; }

/// Of one direction, without padding.
std::uint64_t packed_bytes(std::int64_t size, ComputeType type) {
  const auto elements = static_cast<std::uint64_t>(size);
  switch (type) {
    case ComputeType::int8: return elements + 2 * sizeof(float) * elements / kQuantizationBlock;  // scales and sums
    case ComputeType::bf16: return elements * size_of(DType::bf16);
    default: return elements * sizeof(float);
  }
}

/// The right sides that a weight W is: Wᵀ [in,out] for x Wᵀ, and W [out,in] for dy W.
class CpuWeight : public PackedWeight {
 public:
  virtual const RightSide& forward() const = 0;
  virtual const RightSide& backward() const = 0;
  /// y = x Wᵀ; `finish` gets the tiles of y.
  virtual void multiply(const Products& products, const StridedMatrix& x,
                        const std::function<void(const Tile&)>& finish) const {
    products.multiply(x, forward(), finish);
  }
  /// Takes the matrix' values over, where they were copied.
  virtual void fill(WorkspacePool& workspaces) = 0;

 protected:
  using PackedWeight::PackedWeight;
};

/// Packed in memory of its own, once for each direction that is asked for.
class ResidentWeight final : public CpuWeight {
 public:
  /// `weight` is read when fill is called.
  ResidentWeight(const Products& products, const StridedMatrix& weight, WeightUse use, ComputeType type)
      : CpuWeight(weight.rows, weight.cols), weight_(weight), forward_(products.kernel(type), in(), out()) {
    if (use == WeightUse::forward_and_backward) {
      backward_ = std::make_unique<PackedMatrix>(products.kernel(backward_type(type)), out(), in());
    }
  }
  const RightSide& forward() const override { return forward_; }
  const RightSide& backward() const override {
    require(backward_ != nullptr, "linear_backward_input: a weight that was packed for it", checks::shape_of(*this));
    return *backward_;
  }
  std::size_t bytes() const override { return forward_.bytes() + (backward_ ? backward_->bytes() : 0); }

  void fill(WorkspacePool& workspaces) override {
    const StridedMatrix transposed = weight_.transposed();
    const std::int64_t forward_chunks = forward_.chunks();
    parallel_workers(forward_chunks + (backward_ ? backward_->chunks() : 0), [&] {
      return [&, workspace = workspaces.take()](std::int64_t i) {
        if (i < forward_chunks) {
          forward_.fill(i, transposed, *workspace);
        } else {
          backward_->fill(i - forward_chunks, weight_, *workspace);
        }
      };
    });
  }

 private:
  StridedMatrix weight_;
  PackedMatrix forward_;
  std::unique_ptr<PackedMatrix> backward_;
};

/// A matrix that stays where it lies: both directions read the same bytes.
class StreamedWeight final : public CpuWeight {
 public:
  StreamedWeight(const TileKernel& kernel, const StridedMatrix& weight, ComputeType type)
      : CpuWeight(weight.rows, weight.cols),
        weight_(weight),
        type_(type),
        forward_(kernel, weight.transposed()),
        backward_(kernel, weight) {}
  const RightSide& forward() const override { return forward_; }
  const RightSide& backward() const override { return backward_; }
  std::size_t bytes() const override { return 0; }
  bool reads_source() const override { return true; }
  void fill(WorkspacePool&) override {}

  void multiply(const Products& products, const StridedMatrix& x,
                const std::function<void(const Tile&)>& finish) const override {
    if (type_ == ComputeType::f32 && x.rows <= kMostFewRows) {
      products.multiply_few(x, weight_.transposed(), finish);
    } else {
      products.multiply(x, forward_, finish);
    }
  }

 private:
  StridedMatrix weight_;
  ComputeType type_;
  StreamedMatrix forward_;
  StreamedMatrix backward_;
};

const CpuWeight& cpu_weight(const PackedWeight& weight) { return dynamic_cast<const CpuWeight&>(weight); }

}  // namespace

bool CpuBackend::gains_from_bf16(WeightUse use) {
  return products_.computes(ComputeType::bf16) && gain_of_bf16(*this, use) > kClearGain;
}

std::string CpuBackend::kernel_name(ComputeType type) const {
  return computes(type) ? std::string(products_.kernel(type).name()) : std::string();
}

std::unique_ptr<PackedWeight> CpuBackend::pack(ConstMatrix host_weight, WeightUse use, ComputeType type,
                                               ConstMatrix scales, WeightSource source) {
  checks::packs(host_weight, scales, computes(type));
  const bool quantized = host_weight.type == DType::i8;
  if (quantized && (type != ComputeType::int8 || use != WeightUse::forward)) {
    const Buffer floats(host_memory(), static_cast<std::size_t>(host_weight.size()) * sizeof(float));
    const Matrix weight(floats.data(), host_weight.rows, host_weight.cols);
    dequantize_rows(host_weight, scales, weight);
    return packed(strided(weight), use, type, false);
  }
  StridedMatrix weight = strided(host_weight);
  if (quantized) weight.scales = scales.f32(), weight.scale_stride = scales.cols;
  return packed(weight, use, type, source == WeightSource::lasting);
}

std::unique_ptr<PackedWeight> CpuBackend::pack_trained(ConstMatrix values, WeightUse use, ComputeType type) {
  return packed(strided(values), use, type, true);
}

bool CpuBackend::streams(std::int64_t size, WeightUse use, ComputeType type) const {
  switch (type) {
    case ComputeType::int8: return false;
    // For inference alone bf16 is packed once: a single query waits for the packing of what is streamed.
    case ComputeType::bf16: return use == WeightUse::forward_and_backward;
    default: return size >= least_streamed_;
  }
}

PackedMemory CpuBackend::plan_pack(const WeightToPack& weight) const {
  const std::int64_t size = weight.out * weight.in;
  const bool lasting = weight.stored != DType::i8;  // integers become floats that pass
  if (lasting && streams(size, weight.use, weight.type)) {
    return {.reads_source = true};
  }
  PackedMemory memory{.bytes = packed_bytes(size, weight.type)};
  if (weight.use == WeightUse::forward_and_backward) memory.bytes += packed_bytes(size, backward_type(weight.type));
  return memory;
}

std::unique_ptr<PackedWeight> CpuBackend::packed(const StridedMatrix& weight, WeightUse use, ComputeType type,
                                                 bool lasting) {
  if (lasting && streams(weight.rows * weight.cols, use, type)) {
    return std::make_unique<StreamedWeight>(products_.kernel(type), weight, type);
  }
  auto resident = std::make_unique<ResidentWeight>(products_, weight, use, type);
  resident->fill(workspaces_);
  return resident;
}

void CpuBackend::repack(PackedWeight& weight) { dynamic_cast<CpuWeight&>(weight).fill(workspaces_); }

void CpuBackend::linear(ConstMatrix x, const PackedWeight& weight, const Bias& bias, Matrix y, Epilogue epilogue,
                        Matrix before) {
  checks::multiplies(x, weight, y, epilogue, before, cpu_weight(weight).forward().kernel().left_type());
  const LinearEpilogue finish{bias, epilogue, y, before};
  cpu_weight(weight).multiply(products_, strided(x), [&](const Tile& tile) { finish_linear(finish, tile); });
}

void CpuBackend::linear_backward_input(ConstMatrix dy, const PackedWeight& weight, Matrix dx, bool add) {
  checks::multiplies_backward(dy, weight, dx);
  products_.multiply(strided(dy), cpu_weight(weight).backward(),
                     [&](const Tile& tile) { finish_product(tile, 1, add, dx); });
}

void CpuBackend::linear_backward_weight(ConstMatrix dy, ConstMatrix x, Matrix dweight, ComputeType type) {
  checks::multiplies_gradients(dy, x, dweight);
  if (x.rows == 0) return;
  const bool on_tiles = type == ComputeType::bf16 && processor().amx_bf16;
  products_.multiply(strided(dy, true), products_.pack(strided(x), on_tiles ? ComputeType::bf16 : ComputeType::f32),
                     [&](const Tile& tile) { finish_product(tile, 1, true, dweight); });
}

void CpuBackend::matmul(ConstMatrix a, bool transpose_a, ConstMatrix b, bool transpose_b, float alpha, Matrix c) {
  checks::multiplies_matrices(a, transpose_a, b, transpose_b, c);
  const StridedMatrix left = strided(a, transpose_a), right = strided(b, transpose_b);
  if (left.cols == 0) return zero(c);
  if (c.size() == 0) return;
  products_.multiply(left, products_.pack(right), [&](const Tile& tile) { finish_product(tile, alpha, false, c); });
}

}  // namespace sgpt::cpu
