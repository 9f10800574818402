#include "backend/cpu/product.h"

#include <algorithm>

#include "backend/cpu/left_side.h"
#include "base/parallel.h"

namespace sgpt::cpu {
namespace {

constexpr std::int64_t kTileRows = 128;
constexpr std::int64_t kLeastTileRows = 8;  // so that a short query alone keeps two threads busy
// Inner sizes that follow the batch (weight gradients: T tokens) are cut into blocks of one size, so that the kernel
// meets few shapes.
constexpr std::int64_t kInnerBlock = 512;
// A right side that is not packed: so many columns make a tile, and so many are multiplied at a time, as the kernel has
// registers for. Each of those is read from its beginning to its end, as the processor can foresee.
constexpr std::int64_t kFewTileCols = 64;
constexpr std::int64_t kColsAtOnce = 6;

std::int64_t rounded_up(std::int64_t n, std::int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/// Enough that threads which come free find something to do.
std::int64_t enough_tasks() { return 3 * std::int64_t{omp_get_max_threads()}; }

/// Smaller tiles when there would be too few for the threads; a row's bits do not depend on it.
std::int64_t rows_of_tiles(std::int64_t rows, const RightSide& right) {
  const std::int64_t least = std::max(kLeastTileRows, right.kernel().row_quantum());
  std::int64_t tile = kTileRows;
  while (tile > least && (rows + tile - 1) / tile * right.chunks() < enough_tasks()) tile /= 2;
  return tile;
}

/// What one thread computes at a time: tiles below each other, and chunks beside each other.
struct Task {
  std::int64_t tiles;
  std::int64_t chunks;
};

std::int64_t divided(std::int64_t n, std::int64_t by) { return (n + by - 1) / by; }

/// Where packing a chunk costs, it is multiplied with as many rows as leave enough tasks. Where rows stay in the cache,
/// as many columns pass by. Else packed chunks beside each other are as wide as kChunkCols, unless that leaves too few
/// tasks.
Task task_of(std::int64_t tiles, std::int64_t tile_rows, const RightSide& right) {
  const TileKernel& kernel = right.kernel();
  if (!right.resident()) {
    return {divided(tiles, std::clamp<std::int64_t>(divided(enough_tasks(), right.chunks()), 1, tiles)), 1};
  }
  if (const std::int64_t rows = kernel.lasting_rows(right.inner()); rows > 0) {
    const std::int64_t below = std::clamp<std::int64_t>(rows / tile_rows, 1, tiles);
    return {below, divided(right.chunks(), divided(enough_tasks(), divided(tiles, below)))};
  }
  std::int64_t chunks = kChunkCols / kernel.chunk_cols();
  while (chunks > 1 && divided(right.chunks(), chunks) * tiles < enough_tasks()) chunks /= 2;
  return {1, chunks};
}

/// A thread's multiplying with a kernel.
class KernelScope {
 public:
  explicit KernelScope(const TileKernel& kernel) : kernel_(kernel) { kernel.enter(); }
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;
  ~KernelScope() { kernel_.leave(); }

 private:
  const TileKernel& kernel_;
};

/// The first of them that there is.
template <class... More>
std::unique_ptr<TileKernel> first_of(std::unique_ptr<TileKernel> kernel, More... more) {
  if constexpr (sizeof...(more) == 0) {
    return kernel;
  } else {
    return kernel ? std::move(kernel) : first_of(std::move(more)...);
  }
}

}  // namespace

Products::Products(Kernel kernel, WorkspacePool& workspaces) : workspaces_(workspaces), simd_(make_simd_tiles()) {
  if (kernel == Kernel::simd) {
    bf16_ = make_bf16_tiles();
    int8_ = make_simd_int8_tiles();
  } else {
    bf16_ = first_of(make_amx_bf16_tiles(), make_bf16_tiles());
    int8_ = first_of(make_amx_int8_tiles(), make_vnni_int8_tiles(), make_simd_int8_tiles());
  }
}

bool Products::computes(ComputeType type) const { return type != ComputeType::bf16 || bf16_; }

const TileKernel& Products::kernel(ComputeType type) const {
  switch (type) {
    case ComputeType::bf16: return *bf16_;
    case ComputeType::int8: return *int8_;
    default: return *simd_;
  }
}

PackedMatrix Products::pack(const StridedMatrix& right, ComputeType type) const {
  PackedMatrix packed(kernel(type), right.rows, right.cols, type == ComputeType::f32 ? kInnerBlock : 0);
  parallel_workers(packed.chunks(), [&] {
    return [&packed, &right, workspace = workspaces_.take()](std::int64_t chunk) {
      packed.fill(chunk, right, *workspace);
    };
  });
  return packed;
}

void Products::multiply(const StridedMatrix& left, const RightSide& right,
                        const std::function<void(const Tile&)>& finish) const {
  require(left.cols == right.inner() && (left.type == DType::f32 || left.type == right.kernel().left_type()),
          "product: left[rows,inner] of f32, or of the kernel's type, with right[inner,cols]", shape_of(left),
          ConstMatrix(nullptr, right.inner(), right.cols()));
  if (left.rows == 0 || right.cols() == 0) return;
  const TileKernel& kernel = right.kernel();
  const std::int64_t tile_rows = rows_of_tiles(left.rows, right);
  const auto left_workspace = workspaces_.take();
  const LeftSide rows(left, right, tile_rows, *left_workspace);

  const std::int64_t tiles = (left.rows + tile_rows - 1) / tile_rows;
  const Task size = task_of(tiles, tile_rows, right);
  const std::int64_t spans = divided(right.chunks(), size.chunks);

  const auto compute_tile = [&](std::int64_t tile_number, std::int64_t chunk, const std::byte* packed,
                                Workspace& workspace) {
    const std::int64_t row = tile_number * tile_rows;
    const std::int64_t count = std::min(tile_rows, left.rows - row), cols = right.chunk_cols(chunk);
    const std::int64_t computed = rounded_up(count, kernel.row_quantum()), stride = kernel.tile_stride(cols);
    float* tile = workspace.floats(kTileSlot, kTileRows * stride);
    for (std::int64_t block = 0; block < right.blocks(); ++block) {
      kernel.multiply(rows.block(row, block), computed, right.block_rows(block), cols,
                      packed + right.block_offset(chunk, block), tile, block > 0, workspace);
    }
    finish({row, right.chunk_first(chunk), count, cols, tile, stride});
  };
  const auto compute = [&](std::int64_t task, Workspace& workspace) {
    const std::int64_t first = task / spans * size.tiles, first_chunk = task % spans * size.chunks;
    const KernelScope scope(kernel);
    for (std::int64_t chunk = first_chunk; chunk < std::min(right.chunks(), first_chunk + size.chunks); ++chunk) {
      const std::byte* packed = right.chunk(chunk, workspace);
      for (std::int64_t tile = first; tile < std::min(tiles, first + size.tiles); ++tile) {
        compute_tile(tile, chunk, packed, workspace);
      }
    }
  };
  parallel_workers(divided(tiles, size.tiles) * spans, [&] {
    return [&compute, workspace = workspaces_.take()](std::int64_t task) { compute(task, *workspace); };
  });
}

void Products::multiply_few(const StridedMatrix& left, const StridedMatrix& right,
                            const std::function<void(const Tile&)>& finish) const {
  require(left.cols == right.rows && left.type == DType::f32 && right.row_stride == 1 && left.rows <= kMostFewRows,
          "product: few rows left[rows,inner] of f32 with right[inner,cols], whose columns lie dense", shape_of(left),
          shape_of(right));
  const std::int64_t inner = left.cols, rows = left.rows, stride = simd_->tile_stride(rows);
  const auto left_workspace = workspaces_.take();
  void* packed = left_workspace->bytes(kLeftSlot, simd_->packed_bytes(inner, rows));
  simd_->pack(left.transposed(), inner, packed, *left_workspace);

  const auto compute = [&](std::int64_t first, Workspace& workspace) {
    const std::int64_t cols = std::min(kFewTileCols, right.cols - first);
    float* transposed = workspace.floats(kPartSlot, cols * stride);  // [cols, rows]
    for (std::int64_t j = 0; j < cols; j += kColsAtOnce) {
      const std::int64_t count = std::min(kColsAtOnce, cols - j);
      const StridedMatrix columns = right.part(0, inner, first + j, count).transposed();
      simd_->multiply({.values = as_floats(columns, workspace).data}, count, inner, rows, packed,
                      transposed + j * stride, false, workspace);
    }
    float* tile = workspace.floats(kTileSlot, rows * cols);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) tile[i * cols + j] = transposed[j * stride + i];
    }
    finish({0, first, rows, cols, tile, cols});
  };
  parallel_workers((right.cols + kFewTileCols - 1) / kFewTileCols, [&] {
    return [&compute, workspace = workspaces_.take()](std::int64_t task) { compute(task * kFewTileCols, *workspace); };
  });
}

}  // namespace sgpt::cpu
