// The numbers of a step under the tags that TensorBoard and Weights & Biases show.
#pragma once

#include <array>
#include <string_view>

#include "sgpt/trainer.h"

namespace sgpt {

struct Scalar {
  std::string_view tag;
  double value;
};

inline std::array<Scalar, 4> scalars_of(const TrainStep& step) {
  return {{{"train/loss", step.loss},
           {"train/learning_rate", step.learning_rate},
           {"train/gradient_norm", step.gradient_norm},
           {"train/tokens_per_second", step.tokens_per_second}}};
}

}  // namespace sgpt
