#include "model/layer_plan.h"

#include <algorithm>

#include "model/parameters.h"

namespace sgpt {

double LayerPlan::share_again() const {
  const auto numbers = [](const LayerProduct& product) { return static_cast<double>(product.out * product.in); };
  double all = 0;
  for (const LayerProduct& product : products) all += numbers(product);
  if (products.empty()) return 0;
  return last_again ? 1 : (all - numbers(products.back())) / all;
}

LayerPlan layer_plan(const Architecture& a, DType activation_type) {
  const auto f32 = static_cast<std::int64_t>(sizeof(float));
  const auto type = static_cast<std::int64_t>(size_of(activation_type));
  const auto if_present = [&](Role role, std::int64_t bytes) { return has_role(a, role) ? bytes : 0; };
  const std::int64_t d = a.hidden, f = a.inner;
  const bool second_norm = has_role(a, Role::norm2), head_norms = has_role(a, Role::query_norm);
  const std::int64_t stats = (has_bias(a, Role::norm1) ? 2 : 1) * f32;
  const std::int64_t stream = f32 * d;                             // rows of the residual stream
  const std::int64_t row = type * d;                               // rows of other activations
  const std::int64_t attended = type * a.query_width();            // the attention's output
  const std::int64_t wide = type * f;                              // within the feed-forward part
  const std::int64_t wides = wide + if_present(Role::gate, wide);  // what is made there
  const std::int64_t query_key = type * (a.query_width() + a.key_width());
  const std::int64_t qkv = query_key + type * a.key_width();  // queries, keys and values
  const std::int64_t attention_out = if_present(Role::attention_norm, stream);
  const std::int64_t feed_forward_out = if_present(Role::feed_forward_norm, stream);

  LayerPlan plan;
  Architecture one = a;
  one.layers = std::min<std::int64_t>(a.layers, 1);
  for (const ParameterInfo& parameter : decoder_parameters(one)) {
    if (parameter.kind == ParameterKind::matrix) plan.products.push_back({parameter.rows, parameter.cols});
  }
  plan.kept_inputs = stream;
  plan.kept = stream + stats + qkv + f32 * a.heads + (second_norm ? stream + stats : 0) + wides + attention_out +
              feed_forward_out + if_present(Role::attention_norm, f32) + if_present(Role::feed_forward_norm, f32) +
              (head_norms ? f32 * (a.heads + a.key_heads()) : 0);
  plan.kept_attended = attended;
  plan.kept_embedded = has_role(a, Role::embedding_norm) ? stream + stats : 0;
  plan.kept_last = 2 * stream + stats;  // the hidden states, and what they are of

  plan.forward =
      stream + row +
      std::max(qkv + (second_norm && attended == row ? 0 : attended) + attention_out, wide + feed_forward_out);
  // The gradients of hidden states and residual stream; those of a norm's output, and within either part, where queries
  // and keys are normed and turned again.
  plan.backward = 2 * stream + row +
                  std::max(wides + feed_forward_out, attended + qkv + (head_norms ? query_key : 0) + attention_out);
  // The input of the widest matrix and its gradient, and both as the product for the matrix' gradient wants them.
  plan.backward_of_matrices = 2 * f32 * std::max(f, a.query_width()) + stream;
  plan.computed_again = qkv + (second_norm ? stream : 0) + wides + attention_out + feed_forward_out;
  plan.computed_again_attended = attended;
  plan.last_again = has_role(a, Role::feed_forward_norm);
  return plan;
}

}  // namespace sgpt
