// What oneDNN alone needs for a model's matrix products: the limit that sgpt bench holds its figures against.
#pragma once

#include <cstdint>
#include <span>

#include "model/architecture.h"

namespace sgpt::bench {

enum class ProductPass {
  forward,          ///< y[T,out] = x[T,in] Wᵀ
  backward_input,   ///< dx[T,in] = dy[T,out] W
  backward_weight,  ///< dW[out,in] = dyᵀ x[T,in]
};

/// Seconds for the products of every Linear of every layer, for batches of these numbers of rows: oneDNN's f32 matmul
/// with packed weights and nothing in between. Each shape is timed several times and counted once a layer.
double seconds_of_products(const Architecture& config, std::span<const std::int64_t> rows, ProductPass pass);

/// Operations of one such pass.
double operations_of_products(const Architecture& config, std::span<const std::int64_t> rows);

}  // namespace sgpt::bench
