// The right side of a product, as the tile kernels want it: chunks of columns, which are packed once and kept, or
// packed again for every product out of a matrix that stays where it lies.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/cpu/tile_kernel.h"
#include "tensor/memory.h"

namespace sgpt::cpu {

/// [inner, cols] in chunks of columns, each chunk in one or more blocks of rows.
class RightSide {
 public:
  virtual ~RightSide() = default;

  const TileKernel& kernel() const { return *kernel_; }
  std::int64_t inner() const { return inner_; }
  std::int64_t cols() const { return cols_; }

  std::int64_t chunks() const { return (cols_ + chunk_cols_ - 1) / chunk_cols_; }
  std::int64_t chunk_first(std::int64_t chunk) const { return chunk * chunk_cols_; }
  std::int64_t chunk_cols(std::int64_t chunk) const;
  std::int64_t blocks() const { return (inner_ + inner_block_ - 1) / inner_block_; }
  std::int64_t block_first(std::int64_t block) const { return block * inner_block_; }
  /// Rows of a block as packed: where there are several, the last one is filled up with zeros, so that few shapes
  /// occur.
  std::int64_t block_rows(std::int64_t block) const;
  /// Where a block begins in its chunk.
  std::size_t block_offset(std::int64_t chunk, std::int64_t block) const;

  /// The packed chunk, valid until the workspace is used for another one. Thread-safe.
  virtual const std::byte* chunk(std::int64_t chunk, Workspace& workspace) const = 0;
  /// Whether chunk() computes nothing. Otherwise a thread had better multiply many rows with a chunk that it has.
  virtual bool resident() const = 0;
  /// Memory that is held.
  virtual std::size_t bytes() const = 0;

 protected:
  /// `inner_block` 0 means that the rows are one block.
  RightSide(const TileKernel& kernel, std::int64_t inner, std::int64_t cols, std::int64_t chunk_cols,
            std::int64_t inner_block);
  std::size_t chunk_bytes(std::int64_t chunk) const { return block_offset(chunk, blocks()); }
  /// Packs all blocks of a chunk from its columns, [inner, chunk_cols(chunk)].
  void pack(std::int64_t chunk, const StridedMatrix& columns, std::byte* to, Workspace& workspace) const;

 private:
  const TileKernel* kernel_;
  std::int64_t inner_, cols_, chunk_cols_, inner_block_;
  bool blocked_;
};

/// Every chunk packed, in memory of its own.
class PackedMatrix final : public RightSide {
 public:
  /// `inner_block` 0: as the kernel wants it.
  PackedMatrix(const TileKernel& kernel, std::int64_t inner, std::int64_t cols, std::int64_t inner_block = 0);

  const std::byte* chunk(std::int64_t chunk, Workspace&) const override { return place(chunk); }
  bool resident() const override { return true; }
  std::size_t bytes() const override { return data_.bytes(); }

  /// Packs one chunk of a whole matrix [inner, cols]. Chunks may be packed from several threads.
  void fill(std::int64_t chunk, const StridedMatrix& whole, Workspace& workspace);

 private:
  std::byte* place(std::int64_t chunk) const {
    return static_cast<std::byte*>(data_.data()) + starts_[static_cast<std::size_t>(chunk)];
  }

  std::vector<std::size_t> starts_;  // of the chunks
  Buffer data_;
};

/// A matrix that stays where it lies; a chunk is packed into the workspace of the thread that multiplies with it. What
/// that costs is shared by all rows of the product. The chunks are narrow: they stay in the cache, and there are enough
/// for all threads.
class StreamedMatrix final : public RightSide {
 public:
  StreamedMatrix(const TileKernel& kernel, const StridedMatrix& source);

  const std::byte* chunk(std::int64_t chunk, Workspace& workspace) const override;
  bool resident() const override { return false; }
  std::size_t bytes() const override { return 0; }

 private:
  StridedMatrix source_;
};

}  // namespace sgpt::cpu
