#include "backend/cpu/right_side.h"

#include <algorithm>

namespace sgpt::cpu {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

RightSide::RightSide(const TileKernel& kernel, std::int64_t inner, std::int64_t cols, std::int64_t chunk_cols,
                     std::int64_t inner_block)
    : kernel_(&kernel),
      inner_(inner),
      cols_(cols),
      chunk_cols_(chunk_cols),
      inner_block_(inner_block > 0 ? inner_block : std::max<std::int64_t>(inner, 1)),
      blocked_(inner_block > 0) {}

std::int64_t RightSide::chunk_cols(std::int64_t chunk) const {
  return std::min(chunk_cols_, cols_ - chunk_first(chunk));
}

std::int64_t RightSide::block_rows(std::int64_t block) const {
  if (!blocked_) return inner_;
  const std::int64_t left = inner_ - block_first(block);
  return std::min(inner_block_, (left + kInnerMultiple - 1) / kInnerMultiple * kInnerMultiple);
}

std::size_t RightSide::block_offset(std::int64_t chunk, std::int64_t block) const {
  const std::int64_t wide = chunk_cols(chunk);
  std::size_t bytes = 0;
  if (block > 1) {  // all blocks before the last have the same size
    bytes = static_cast<std::size_t>(block - 1) * aligned(kernel_->packed_bytes(block_rows(0), wide));
  }
  if (block > 0) bytes += aligned(kernel_->packed_bytes(block_rows(block - 1), wide));
  return bytes;
}

void RightSide::pack(std::int64_t chunk, const StridedMatrix& columns, std::byte* to, Workspace& workspace) const {
  for (std::int64_t block = 0; block < blocks(); ++block) {
    const std::int64_t first = block_first(block), rows = std::min(block_rows(block), inner_ - first);
    kernel_->pack(columns.part(first, rows, 0, columns.cols), block_rows(block), to + block_offset(chunk, block),
                  workspace);
  }
}

PackedMatrix::PackedMatrix(const TileKernel& kernel, std::int64_t inner, std::int64_t cols, std::int64_t inner_block)
    : RightSide(kernel, inner, cols, kernel.chunk_cols(), inner_block > 0 ? inner_block : kernel.inner_block()) {
  std::size_t bytes = 0;
  for (std::int64_t chunk = 0; chunk < chunks(); ++chunk) {
    starts_.push_back(bytes);
    bytes += chunk_bytes(chunk);
  }
  data_ = Buffer(host_memory(), bytes);
}

void PackedMatrix::fill(std::int64_t chunk, const StridedMatrix& whole, Workspace& workspace) {
  pack(chunk, whole.part(0, inner(), chunk_first(chunk), chunk_cols(chunk)), place(chunk), workspace);
}

StreamedMatrix::StreamedMatrix(const TileKernel& kernel, const StridedMatrix& source)
    : RightSide(kernel, source.rows, source.cols, kernel.streamed_cols(source.rows), kernel.inner_block()),
      source_(source) {}

const std::byte* StreamedMatrix::chunk(std::int64_t chunk, Workspace& workspace) const {
  auto* packed = static_cast<std::byte*>(workspace.bytes(kChunkSlot, chunk_bytes(chunk)));
  pack(chunk, source_.part(0, inner(), chunk_first(chunk), chunk_cols(chunk)), packed, workspace);
  return packed;
}

}  // namespace sgpt::cpu
