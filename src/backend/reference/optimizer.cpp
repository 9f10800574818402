// Gradient norm and AdamW.
#include <cmath>

#include "backend/checks.h"
#include "backend/reference/reference_backend.h"

namespace sgpt::reference {

double ReferenceBackend::sum_of_squares(ConstMatrix x) {
  double sum = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x.f32()[i]) * x.f32()[i];
  return sum;
}

void ReferenceBackend::adamw(const AdamW& options, ConstMatrix gradient, Matrix parameter, Matrix m, Matrix v) {
  checks::updates(gradient, parameter, m, v);
  for (std::int64_t i = 0; i < parameter.size(); ++i) {
    const double g = static_cast<double>(gradient.f32()[i]) * options.gradient_scale;
    const double mi = options.beta1 * m.f32()[i] + (1 - options.beta1) * g;
    const double vi = options.beta2 * v.f32()[i] + (1 - options.beta2) * g * g;
    const double stepped = parameter.f32()[i] - options.step_size * mi / (std::sqrt(vi) + options.eps);
    parameter.f32()[i] = static_cast<float>(stepped - options.decay * stepped);
    m.f32()[i] = static_cast<float>(mi);
    v.f32()[i] = static_cast<float>(vi);
  }
}

}  // namespace sgpt::reference
