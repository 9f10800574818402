#include "model/layer_plan.h"

#include <algorithm>

#include "model/parameters.h"

namespace sgpt {

double LayerPlan::share_again() const {
  const auto numbers = [](const LayerProduct& product) { return static_cast<double>(product.out * product.in); };
  double all = 0;
  for (const LayerProduct& product : products) all += numbers(product);
  return products.empty() ? 0 : (all - numbers(products.back())) / all;
}

LayerPlan layer_plan(const Architecture& a, DType activation_type) {
  const auto f32 = static_cast<std::int64_t>(sizeof(float));
  const auto type = static_cast<std::int64_t>(size_of(activation_type));
  const std::int64_t d = a.hidden, f = a.inner;
  const bool second_norm = has_role(a, Role::norm2);
  const std::int64_t stats = 2 * f32;
  const std::int64_t stream = f32 * d;    // rows of the residual stream
  const std::int64_t row = type * d;      // rows of other activations
  const std::int64_t wide = type * f;     // within the feed-forward part
  const std::int64_t qkv = type * 3 * d;  // queries, keys and values

  LayerPlan plan;
  Architecture one = a;
  one.layers = std::min<std::int64_t>(a.layers, 1);
  for (const ParameterInfo& parameter : decoder_parameters(one)) {
    if (parameter.kind == ParameterKind::matrix) plan.products.push_back({parameter.rows, parameter.cols});
  }
  plan.kept_inputs = stream;
  plan.kept = stream + stats + qkv + f32 * a.heads + (second_norm ? stream + stats : 0) + wide;
  plan.kept_attended = row;
  plan.kept_embedded = has_role(a, Role::embedding_norm) ? stream + stats : 0;
  plan.kept_last = 2 * stream + stats;  // the hidden states, and what they are of

  plan.forward = stream + row + std::max(qkv + (second_norm ? 0 : row), wide);
  // The gradients of hidden states and residual stream; those of a LayerNorm's output, and within either part.
  plan.backward = 2 * stream + row + std::max(wide, row + qkv);
  // The input of the widest matrix and its gradient, and both as the product for the matrix' gradient wants them.
  plan.backward_of_matrices = 2 * f32 * f + stream;
  plan.computed_again = qkv + (second_norm ? stream : 0) + wide;
  plan.computed_again_attended = row;
  return plan;
}

}  // namespace sgpt
