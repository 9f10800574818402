// The fast backend for processors: oneDNN for matrix products, Highway for vector kernels, OpenMP for threads.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace sgpt {

/// Which kernels compute matrix products: the best for this processor, or our own micro-kernel always (which serves the
/// processors that oneDNN has no fitting kernels for; asked for by tests and benchmarks).
enum class CpuProducts { best, simd };

std::unique_ptr<Backend> make_cpu_backend(CpuProducts products = CpuProducts::best);

}  // namespace sgpt
