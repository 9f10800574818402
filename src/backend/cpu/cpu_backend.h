// The fast backend for processors: matrix products by kernels of our own, vector kernels in Highway, OpenMP for
// threads.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace sgpt {

/// Which kernels compute matrix products: the best for this processor, or those in Highway, which serve every
/// processor, and our own of bf16 (asked for by tests and benchmarks).
enum class CpuProducts { best, simd };

/// A lasting or trained matrix with so many elements is read where it lies by every f32 product: nothing is copied, and
/// packing 64 columns at a time into the cache is hidden by the multiplication. A smaller one is packed in memory:
/// there it stays in the processor's cache, and short texts don't wait for it.
inline constexpr std::int64_t kLeastStreamed = std::int64_t{1} << 20;

/// `least_streamed`: for tests and benchmarks.
std::unique_ptr<Backend> make_cpu_backend(CpuProducts products = CpuProducts::best,
                                          std::int64_t least_streamed = kLeastStreamed);

}  // namespace sgpt
