// What a layer takes, by its architecture: its matrix products, what it keeps for the backward pass, and the memory
// that it works in. Memory plans, training steps, `sgpt info` and benchmarks ask here.
#pragma once

#include <cstdint>
#include <vector>

#include "model/architecture.h"
#include "tensor/dtype.h"

namespace sgpt {

/// What a forward pass keeps for the backward pass, which has the same bits either way.
enum class Keep {
  activations,  ///< all that backward needs: 9·d numbers a token and layer in BLOOM, when only biases are trained
  inputs,       ///< d numbers: each layer's input; backward computes the layer again, but for its last matrix
};

/// One Linear of a layer, [out, in].
struct LayerProduct {
  std::int64_t out = 0;
  std::int64_t in = 0;
};

/// Bytes are those of one token.
struct LayerPlan {
  std::vector<LayerProduct> products;  ///< in the order of the forward pass

  std::int64_t kept_inputs = 0;    ///< with Keep::inputs
  std::int64_t kept = 0;           ///< with Keep::activations
  std::int64_t kept_attended = 0;  ///< with it, where the matrix after the attention is trained
  std::int64_t kept_embedded = 0;  ///< before the layers, where something there is trained
  std::int64_t kept_last = 0;      ///< after them

  std::int64_t forward = 0;                  ///< the residual stream, and what a forward pass works in
  std::int64_t backward = 0;                 ///< the gradients that a backward pass works in
  std::int64_t backward_of_matrices = 0;     ///< more, where matrices are trained
  std::int64_t computed_again = 0;           ///< more, where a layer is computed again from its input
  bool last_again = false;                   ///< then the last matrix too, whose output is normed
  std::int64_t computed_again_attended = 0;  ///< more, where then the matrix after the attention is trained

  std::int64_t kept_of_layer(Keep keep, bool out_trained) const {
    return keep == Keep::inputs ? kept_inputs : kept + (out_trained ? kept_attended : 0);
  }
  /// Of a forward pass' products, the share that has to be computed again where inputs alone were kept.
  double share_again() const;
};

/// For a backend whose activations have this type.
LayerPlan layer_plan(const Architecture& architecture, DType activation_type = DType::f32);

}  // namespace sgpt
