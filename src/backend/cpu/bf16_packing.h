// Weights of any type, in either direction, as pairs of bf16: quick enough to be done for every product, so that a
// weight stays where it lies.
#pragma once

#include <cstdint>

#include "backend/cpu/tile_kernel.h"

namespace sgpt::cpu {

/// Where the vectors of 16 columns' pairs of neighbours in k lie: from one pair to the next, and from one 16 columns to
/// the next within 64; 64 columns lie behind 64 others.
struct PairLayout {
  std::int64_t pair_step;
  std::int64_t vector_step;
};

/// packed[cols / 16][inner / 2][16][2] in that layout = right[<= inner, cols], zeros in the rows and columns that it
/// lacks; the vectors of a last panel that has no columns stay as they are. For processors with AVX-512's bf16.
void pack_bf16(const StridedMatrix& right, std::int64_t inner, const PairLayout& layout, void* packed);

}  // namespace sgpt::cpu
